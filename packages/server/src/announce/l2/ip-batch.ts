/**
 * Addresses with a lifetime, as commands of `ip -batch`. Pure; `link-addresses.ts` runs them.
 */

/** An address on an interface, as `ip -json addr show` tells it. */
export interface LinkAddress {
  readonly device: string;
  readonly address: string;
  readonly prefixLength: number;
  /** Seconds that are left; undefined: for ever. */
  readonly validS: number | undefined;
  readonly preferredS: number | undefined;
}

const prefixOf = (address: string): string => `${address}/${address.includes(":") ? 128 : 32}`;

/**
 * Puts an address on a device for so many seconds, or gives it so many from now. Preferred for none of them, so that
 * nothing on this host takes it as the source of connections of its own (RFC 4862 §5.5.4). Without duplicate address
 * detection: the store says whose it is, and the former owner may be gone for milliseconds only.
 */
export function keepCommand(device: string, address: string, seconds: number): string {
  const nodad = address.includes(":") ? " nodad" : "";
  return `addr replace ${prefixOf(address)} dev ${device}${nodad} valid_lft ${seconds} preferred_lft 0`;
}

/** Takes an address off a device. */
export function removeCommand(device: string, address: string): string {
  return `addr del ${prefixOf(address)} dev ${device}`;
}

/**
 * Which commands of a batch failed, by their place from 0, and why. With `-force` each failure is what the kernel or `ip`
 * says of it, and then a line with the command's number.
 */
export function batchFailures(stderr: string): ReadonlyMap<number, string> {
  const failures = new Map<number, string>();
  let said: string[] = [];
  for (const line of stderr.split("\n")) {
    const [, number] = /^Command failed .*:(\d+)$/u.exec(line) ?? [];
    if (number === undefined) {
      if (line.trim() !== "") said.push(line.trim());
      continue;
    }
    failures.set(Number(number) - 1, said.join("; ") || "ip gave no reason");
    said = [];
  }
  return failures;
}

interface ShownInterface {
  readonly ifname?: string;
  readonly addr_info?: readonly {
    readonly local?: string;
    readonly prefixlen: number;
    readonly valid_life_time: number;
    readonly preferred_life_time: number;
  }[];
}

/** Lifetimes that never end are 2^32 - 1 in netlink. */
const FOR_EVER = 0xffff_ffff;

/** Reads what `ip -json addr show` prints. */
export function parseAddresses(json: string): readonly LinkAddress[] {
  const shown = JSON.parse(json === "" ? "[]" : json) as readonly ShownInterface[];
  const seconds = (value: number): number | undefined => (value === FOR_EVER ? undefined : value);
  return shown.flatMap(({ ifname: device, addr_info: addresses = [] }) =>
    addresses.flatMap((one) =>
      device === undefined || one.local === undefined
        ? []
        : [
            {
              device,
              address: one.local,
              prefixLength: one.prefixlen,
              validS: seconds(one.valid_life_time),
              preferredS: seconds(one.preferred_life_time),
            },
          ],
    ),
  );
}

/** Whether a VIP's address was put there by {@link keepCommand}, by this process or one before it. */
export function isOurs({ address, prefixLength, validS, preferredS }: LinkAddress): boolean {
  return validS !== undefined && preferredS === 0 && prefixLength === (address.includes(":") ? 128 : 32);
}
