import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { createKeyRing, keyFingerprint } from "../../src/control/secrets.ts";

const OLD = new Uint8Array(32).fill(1);
const NEW = new Uint8Array(32).fill(2);

describe("a key ring", () => {
  test("opens what it sealed, for the same context only, and never seals alike", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string(), fc.string(), (secret, context, other) => {
        const ring = createKeyRing([OLD]);
        const sealed = ring.seal(secret, context);
        expect(ring.open(sealed, context)).toBe(secret.toWellFormed());
        expect(ring.seal(secret, context)).not.toBe(sealed);
        if (other !== context)
          expect(() => ring.open(sealed, other)).toThrow(/was changed, or belongs to something else/);
      }),
    );
  });

  test("opens nothing that was changed, in any byte", () => {
    const ring = createKeyRing([OLD]);
    const [version, name, body = ""] = ring.seal("secret", "here").split(".");
    const bytes = Buffer.from(body, "base64");
    for (let index = 0; index < bytes.length; index++) {
      const changed = Buffer.from(bytes);
      changed[index] = (changed[index] as number) ^ 1;
      expect(() => ring.open(`${version}.${name}.${changed.toString("base64")}`, "here")).toThrow(/was changed/);
    }
  });

  test("seals with the first key and opens with all of them, so that keys can be replaced", () => {
    const sealed = createKeyRing([OLD]).seal("secret", "here");
    const both = createKeyRing([NEW, OLD]);
    expect(both.open(sealed, "here")).toBe("secret");
    expect(() => createKeyRing([OLD]).open(both.seal("secret", "here"), "here")).toThrow(
      `it was sealed with key ${keyFingerprint(NEW)}, which is not here`,
    );
  });

  test("refuses keys of the wrong length, and to be empty", () => {
    expect(() => createKeyRing([new Uint8Array(16)])).toThrow("has 16 bytes, not 32");
    expect(() => createKeyRing([])).toThrow("there is no key");
  });

  test("names keys without giving them away", () => {
    expect(keyFingerprint(OLD)).toMatch(/^[0-9a-f]{16}$/);
    expect(keyFingerprint(OLD)).not.toBe(keyFingerprint(NEW));
  });
});
