import fc from "fast-check";

type Flip = readonly [kind: "flip" | "insert" | "delete" | "cut", at: number, byte: number];

const flip: fc.Arbitrary<Flip> = fc.tuple(
  fc.constantFrom("flip", "insert", "delete", "cut"),
  fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  fc.oneof(fc.constantFrom(0, 1, 0x0a, 0x0d, 0x20, 0x7f, 0x80, 0xff), fc.nat(255)),
);

function apply(bytes: Uint8Array, [kind, where, byte]: Flip): Uint8Array {
  const at = Math.floor(where * bytes.length);
  switch (kind) {
    case "flip":
      return Uint8Array.from(bytes, (value, index) => (index === at ? byte : value));
    case "insert":
      return Uint8Array.of(...bytes.subarray(0, at), byte, ...bytes.subarray(at));
    case "delete":
      return Uint8Array.of(...bytes.subarray(0, at), ...bytes.subarray(at + 1));
    case "cut":
      return bytes.subarray(0, at);
  }
}

/** One of the seeds with up to five of its bytes changed. */
export const flipped = (seeds: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(fc.constantFrom(...seeds), fc.array(flip, { maxLength: 5 }))
    .map(([seed, flips]) => flips.reduce(apply, seed));
