/**
 * Which source a client belongs to, as two 32-bit numbers: an IPv4 address, or an IPv6 /64, which is what one subscriber
 * has. Pure.
 */

/** Two hashes of one source: where it is kept, and what it is known by there. */
export interface SourceHash {
  /** Unsigned. */
  place: number;
  /** Never 0. */
  tag: number;
}

/** Filled in by {@link hashSource}: one is judged at a time. */
export const sourceHash: SourceHash = { place: 0, tag: 1 };

/**
 * Hashes a client's source into {@link sourceHash}.
 * @param address canonical IP text, with or without a zone; IPv4-mapped IPv6 counts as IPv4.
 * @param seed unknown to clients, so that nobody can choose addresses that collide.
 */
export function hashSource(address: string, seed: number): void {
  const isIpv6 = address.includes(":") && !isMapped(address);
  const high = isIpv6 ? ipv6Words(address, 0) : 0;
  const low = isIpv6 ? ipv6Words(address, 2) : ipv4(address);
  sourceHash.place = mix(mix(seed ^ high) + low) >>> 0;
  // Of a family of its own, so that 0.0.0.1 and ::1 are two.
  sourceHash.tag = mix(mix(low ^ ~seed) + high + (isIpv6 ? 1 : 0)) | 0 || 1;
}

const isMapped = (address: string): boolean => address.startsWith("::ffff:") && address.includes(".");

/** Murmur3's finalizer: every bit of the input changes half of the output's. */
function mix(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

function ipv4(address: string): number {
  let value = 0;
  let part = 0;
  for (let at = address.lastIndexOf(":") + 1; at < address.length; at++) {
    const code = address.charCodeAt(at);
    if (code === 0x2e) {
      value = (value << 8) | part;
      part = 0;
    } else part = part * 10 + (code - 0x30);
  }
  return (value << 8) | part;
}

/** The words of 16 bits at `index` and after it, of the first four. */
function ipv6Words(address: string, index: number): number {
  return (ipv6Word(address, index) << 16) | ipv6Word(address, index + 1);
}

/** The word of that index; one behind `::` is 0, unless words after it reach that far. */
function ipv6Word(address: string, index: number): number {
  const gap = address.indexOf("::");
  if (gap < 0) return wordAt(address, 0, index);
  const before = gap === 0 ? 0 : colons(address, 0, gap) + 1;
  if (index < before) return wordAt(address, 0, index);
  const tail = gap + 2;
  const after = tail >= address.length || address[tail] === "%" ? 0 : colons(address, tail, address.length) + 1;
  // A dotted end stands for two words; it is never within the first four.
  const words = address.includes(".") ? after + 1 : after;
  const first = 8 - words;
  return index < first ? 0 : wordAt(address, tail, index - first);
}

function colons(address: string, start: number, end: number): number {
  let count = 0;
  for (let at = start; at < end; at++) if (address.charCodeAt(at) === 0x3a) count++;
  return count;
}

function wordAt(address: string, start: number, index: number): number {
  let at = start;
  for (let skipped = 0; skipped < index; skipped++) at = address.indexOf(":", at) + 1;
  const value = Number.parseInt(address.slice(at, at + 4), 16);
  return Number.isNaN(value) ? 0 : value;
}
