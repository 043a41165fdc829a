import {
  type AddressBounds,
  type AddressRange,
  type IpAddress,
  ipToBigInt,
  rangeBounds,
  unmapIpv4,
} from "@fiberlb/types";

/** Addresses from one to another, both included. IPv4 is compared as `number`, which is ten times as fast. */
interface Range<Value extends number | bigint> {
  readonly first: Value;
  readonly last: Value;
}

/** Answers whether a client comes from one of many CIDRs, by a binary search. */
export class AllowedCidrs {
  /** Nothing is listed, which allows everybody. */
  readonly everybody: boolean;
  readonly #ipv4: readonly Range<number>[];
  readonly #ipv6: readonly Range<bigint>[];

  /** @param cidrs canonical text, as a `ListenerUnit` has it. */
  constructor(cidrs: readonly string[]) {
    const bounds = withoutOverlap(cidrs.map((cidr) => rangeBounds(cidr as AddressRange)));
    this.everybody = cidrs.length === 0;
    this.#ipv4 = bounds
      .filter(({ family }) => family === "IPV4")
      .map(({ first, last }) => ({ first: Number(first), last: Number(last) }));
    this.#ipv6 = bounds.filter(({ family }) => family === "IPV6");
  }

  /** @param address canonical IP text; IPv4-mapped IPv6 counts as IPv4. */
  includes(address: string): boolean {
    if (this.everybody) return true;
    const plain = unmapIpv4(address as IpAddress);
    return plain.includes(":") ? contains(this.#ipv6, ipToBigInt(plain)) : contains(this.#ipv4, ipv4ToNumber(plain));
  }
}

/** Sorted by family and address. CIDRs either nest or are apart: of a nest the outermost, which sorts first, is enough. */
function withoutOverlap(bounds: readonly AddressBounds[]): AddressBounds[] {
  const kept: AddressBounds[] = [];
  for (const next of bounds.toSorted(byFamilyThenFirstThenSize)) {
    const outer = kept.at(-1);
    if (outer?.family !== next.family || next.first > outer.last) kept.push(next);
  }
  return kept;
}

function byFamilyThenFirstThenSize(a: AddressBounds, b: AddressBounds): number {
  if (a.family !== b.family) return a.family < b.family ? -1 : 1;
  return Number(a.first - b.first) || Number(b.last - a.last);
}

function contains<Value extends number | bigint>(ranges: readonly Range<Value>[], value: Value): boolean {
  let low = 0;
  let high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const range = ranges[middle]!;
    if (value < range.first) high = middle - 1;
    else if (value > range.last) low = middle + 1;
    else return true;
  }
  return false;
}

function ipv4ToNumber(text: string): number {
  let value = 0;
  let part = 0;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === 0x2e) {
      value = value * 256 + part;
      part = 0;
    } else {
      part = part * 10 + (code - 0x30);
    }
  }
  return value * 256 + part;
}
