import type { Random } from "../../random.ts";
import { encodeText } from "./http1-bytes.ts";

const ID_DIGITS = 32;
/** Half says which worker since which start, half counts. */
const COUNTER_AT = 16;
const DIGITS = encodeText("0123456789abcdef");
const LAST_DIGIT = DIGITS[15];

/**
 * Values for X-Request-Id: 128 bits in hexadecimal, the first 64 by chance once a worker, the rest counted up from a
 * start by chance. Unique over workers and nodes, not secret.
 */
export class RequestIds {
  readonly #id: Uint8Array;

  constructor(random: Random) {
    this.#id = Uint8Array.from({ length: ID_DIGITS }, () => DIGITS[Math.floor(random() * DIGITS.length)] as number);
  }

  /** The next one; holds until the next call. */
  next(): Uint8Array {
    const id = this.#id;
    for (let at = ID_DIGITS - 1; at >= COUNTER_AT; at--) {
      const digit = id[at] as number;
      if (digit !== LAST_DIGIT) {
        id[at] = DIGITS[DIGITS.indexOf(digit) + 1] as number;
        return id;
      }
      id[at] = DIGITS[0] as number;
    }
    return id;
  }
}
