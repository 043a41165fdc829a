import { encodeText, equalsLower } from "./http1-bytes.ts";
import { findHeaderName, HEADER_NAME_COUNT, HeaderName, type HeaderNameId } from "./http1-names.ts";

/** Headers that a policy sets or removes, compiled once to bytes. */
export class HeaderEdits {
  /** Changes nothing. */
  static readonly none = new HeaderEdits({});

  /** The lines to add, each with its CR LF. */
  readonly lines: Uint8Array;
  readonly isEmpty: boolean;
  readonly #known = new Uint8Array(HEADER_NAME_COUNT);
  readonly #others: readonly Uint8Array[];

  /**
   * @param set header name to value; an empty value removes the header. Names and values are those the API has accepted:
   * tokens other than the framing ones, and values without control characters. Non-ASCII goes out as UTF-8.
   */
  constructor(set: Readonly<Record<string, string>>) {
    const entries = Object.entries(set);
    this.isEmpty = entries.length === 0;
    const lines = entries.filter(([, value]) => value !== "").map(([name, value]) => `${name}: ${value}\r\n`);
    this.lines = encodeText(lines.join(""));
    const others: Uint8Array[] = [];
    for (const [name] of entries) {
      const lower = encodeText(name.toLowerCase());
      const id = findHeaderName(lower, 0, lower.length);
      if (id === HeaderName.OTHER || id === HeaderName.LOOKALIKE) others.push(lower);
      else this.#known[id] = 1;
    }
    this.#others = others;
  }

  /** Whether a header of a known name is set or removed. */
  touches(id: HeaderNameId): boolean {
    return this.#known[id] === 1;
  }

  /** Whether the header of that name, known or not, makes way. */
  replaces(id: HeaderNameId, bytes: Uint8Array, nameStart: number, nameEnd: number): boolean {
    if (this.#known[id] === 1) return true;
    for (const name of this.#others) {
      if (equalsLower(bytes, nameStart, nameEnd, name)) return true;
    }
    return false;
  }
}
