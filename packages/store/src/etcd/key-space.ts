import { compareKeys, END_OF_KEYS, type KeyRange, prefixRange } from "../keys.ts";

/** A range as etcd's requests have it. */
export interface ByteRange {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

/** etcd's "no bound": as a range's end, and (as it takes no empty key) also as its start. */
const NUL = Uint8Array.of(0);

/** The keys of one store inside etcd's: all begin with the prefix there, and don't here. */
export class KeySpace {
  readonly #prefix: string;
  readonly #prefixBytes: number;
  readonly #end: Uint8Array;

  constructor(prefix: string) {
    this.#prefix = prefix;
    this.#prefixBytes = Buffer.byteLength(prefix);
    this.#end = prefix === "" ? NUL : Buffer.from(prefixRange(prefix).end);
  }

  encode(key: string): Uint8Array {
    return Buffer.from(this.#prefix + key);
  }

  decode(key: Uint8Array): string {
    return Buffer.from(key.buffer, key.byteOffset + this.#prefixBytes, key.length - this.#prefixBytes).toString();
  }

  /** Undefined for a range that holds no key, which etcd takes no request for. */
  range({ start, end }: KeyRange): ByteRange | undefined {
    if (end !== END_OF_KEYS && compareKeys(start, end) >= 0) return undefined;
    const key = this.#prefix + start;
    return {
      key: key === "" ? NUL : Buffer.from(key),
      rangeEnd: end === END_OF_KEYS ? this.#end : Buffer.from(this.#prefix + end),
    };
  }
}
