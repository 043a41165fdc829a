// The Huffman code of HPACK (RFC 7541 appendix B). It is canonical: codes of one length follow each other in the order of
// their bytes, and shorter codes come first, so that the lengths alone tell every code.

/** Not a byte: its code, cut short, pads the last octet. */
const END_OF_STRING = 256;

/** Bytes by the length of their code; ranges as pairs of first and last. */
const LENGTHS: readonly (readonly [bits: number, symbols: readonly (number | readonly [number, number])[]])[] = [
  [5, [48, 49, 50, 97, 99, 101, 105, 111, 115, 116]],
  [6, [32, 37, [45, 47], [51, 57], 61, 65, 95, 98, 100, [102, 104], [108, 110], 112, 114, 117]],
  [7, [58, [66, 87], 89, 106, 107, 113, [118, 122]]],
  [8, [38, 42, 44, 59, 88, 90]],
  [10, [33, 34, 40, 41, 63]],
  [11, [39, 43, 124]],
  [12, [35, 62]],
  [13, [0, 36, 64, 91, 93, 126]],
  [14, [94, 125]],
  [15, [60, 96, 123]],
  [19, [92, 195, 208]],
  [20, [128, 130, 131, 162, 184, 194, 224, 226]],
  [21, [153, 161, 167, 172, 176, 177, 179, 209, 216, 217, 227, 229, 230]],
  [22, [129, [132, 134], 136, 146, 154, 156, 160, 163, 164, 169, 170, 173, 178, 181, [185, 187], 189, 190, 196, 198]],
  [22, [228, 232, 233]],
  [23, [1, 135, [137, 139], 140, 141, 143, 147, [149, 152], 155, 157, 158, 165, 166, 168, 174, 175, 180, 182, 183]],
  [23, [188, 191, 197, 231, 239]],
  [24, [9, 142, 144, 145, 148, 159, 171, 206, 215, 225, 236, 237]],
  [25, [199, 207, 234, 235]],
  [26, [192, 193, [200, 202], 205, 210, 213, 218, 219, 238, 240, 242, 243, 255]],
  [27, [203, 204, 211, 212, 214, [221, 223], 241, [244, 248], [250, 254]]],
  [28, [[2, 8], 11, 12, [14, 21], [23, 31], 127, 220, 249]],
  [30, [10, 13, 22, END_OF_STRING]],
];

const NIBBLE = 16;
/** Inner nodes of the tree: one less than its leaves. */
const STATES = 256;
/** The nibble completes a byte. */
const EMITS = 1 << 8;
/** No code goes that way: it is the end of the string, which must not stand inside one. */
const FAILS = 1 << 9;
const NEXT_AT = 10;

/** By state and nibble: the next state, whether a byte is complete, and that byte. */
const steps = new Int32Array(STATES * NIBBLE);
/** 1 for states in which a string may end: less than eight bits of padding, all of them ones (§5.2). */
const mayEnd = new Uint8Array(STATES);

function buildTables(): void {
  // Node by node: its child for 0 and for 1; leaves are negative: -1 - byte.
  const children: [number, number][] = [[0, 0]];
  let code = 0;
  let previousBits = 0;
  for (const [bits, symbols] of LENGTHS) {
    code *= 2 ** (bits - previousBits);
    previousBits = bits;
    for (const symbol of symbols.flatMap((entry) => (typeof entry === "number" ? [entry] : rangeOf(entry)))) {
      plant(children, symbol, { code, bits });
      code++;
    }
  }
  for (let state = 0; state < STATES; state++) {
    for (let nibble = 0; nibble < NIBBLE; nibble++) steps[state * NIBBLE + nibble] = stepOf(children, state, nibble);
  }
  for (let state = 0, bits = 0; bits < 8; bits++) {
    mayEnd[state] = 1;
    state = (children[state] as [number, number])[1];
  }
}

const rangeOf = ([first, last]: readonly [number, number]): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

function plant(children: [number, number][], symbol: number, { code, bits }: { code: number; bits: number }): void {
  let node = 0;
  for (let bit = bits - 1; bit > 0; bit--) {
    const pair = children[node] as [number, number];
    const side = Math.floor(code / 2 ** bit) % 2;
    if (pair[side] === 0) pair[side] = children.push([0, 0]) - 1;
    node = pair[side] as number;
  }
  (children[node] as [number, number])[code % 2] = -1 - symbol;
}

function stepOf(children: readonly [number, number][], state: number, nibble: number): number {
  let node = state;
  let emitted = 0;
  for (let bit = 3; bit >= 0; bit--) {
    node = (children[node] as [number, number])[(nibble >> bit) & 1] as number;
    if (node >= 0) continue;
    const symbol = -1 - node;
    if (symbol === END_OF_STRING) return FAILS;
    // No code is shorter than five bits: a nibble completes one byte at most.
    emitted = EMITS | symbol;
    node = 0;
  }
  return (node << NEXT_AT) | emitted;
}

buildTables();

/** Most bytes that so many octets of Huffman code may stand for: no code is shorter than five bits. */
export const huffmanBound = (octets: number): number => Math.floor((octets * 8) / 5);

/**
 * Decodes `bytes[start, end)` into `out` at `at`, which has {@link huffmanBound} bytes left.
 * @returns the offset after what was written; -1 for what no encoder may write (RFC 7541 §5.2).
 */
export function huffmanDecode(
  { bytes, start, end }: { readonly bytes: Uint8Array; readonly start: number; readonly end: number },
  out: Uint8Array,
  at: number,
): number {
  let state = 0;
  let to = at;
  for (let from = start; from < end; from++) {
    const octet = bytes[from] as number;
    const high = steps[state * NIBBLE + (octet >> 4)] as number;
    if ((high & EMITS) !== 0) out[to++] = high & 0xff;
    const low = steps[(high >> NEXT_AT) * NIBBLE + (octet & 0xf)] as number;
    if ((low & EMITS) !== 0) out[to++] = low & 0xff;
    if (((high | low) & FAILS) !== 0) return -1;
    state = low >> NEXT_AT;
  }
  return mayEnd[state] === 1 ? to : -1;
}
