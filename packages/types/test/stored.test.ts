import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { decodeEntity, encodeEntity, resourceKinds, SCHEMA_VERSION, StoredFormatError } from "../src/index.ts";
import { idOf, sample } from "./samples.ts";

const bytesOf = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const stored = (kind: string, entity: object, schemaVersion: unknown = SCHEMA_VERSION) =>
  bytesOf({ schemaVersion, kind, entity });

describe("stored entities", () => {
  it.each(resourceKinds)("a %s comes back as it was", (kind) => {
    const entity = sample(kind);
    expect(decodeEntity(kind, encodeEntity(kind, entity))).toEqual(entity);
  });

  it("keep what never leaves the server", () => {
    const draining = { ...sample("backend"), drainingSince: "2026-01-02T03:04:05.678Z" };
    expect(decodeEntity("backend", encodeEntity("backend", draining))).toEqual(draining);
    expect(decodeEntity("certificate", encodeEntity("certificate", sample("certificate"))).sealedPrivateKey).toBe(
      "c2VhbGVk",
    );
  });

  it("are written the same way each time", () => {
    expect(encodeEntity("pool", sample("pool"))).toEqual(encodeEntity("pool", sample("pool")));
  });

  it("carry the fields of a newer release through an older one", () => {
    const newer = { ...sample("listener"), http3: true, accessLog: { format: "JSON", sampling: 0.1 } };
    const read = decodeEntity("listener", stored("listener", newer));
    expect(read).toEqual(newer);
    expect(decodeEntity("listener", encodeEntity("listener", { ...read, name: "new" }))).toEqual({
      ...newer,
      name: "new",
    });
  });

  it("of an older release get the defaults of fields that it did not have", () => {
    const { queueTimeoutMs, maglev, ...older } = sample("pool");
    expect(decodeEntity("pool", stored("pool", older))).toEqual({ ...older, queueTimeoutMs, maglev });
  });

  it("of a newer version are refused with the version named", () => {
    const read = (): unknown => decodeEntity("pool", stored("pool", sample("pool"), SCHEMA_VERSION + 1));
    expect(read).toThrow(StoredFormatError);
    expect(read).toThrow(
      `Cannot read stored pool ${idOf(9)}: it has schema version 2, this release reads up to 1; upgrade this node`,
    );
    expect(read).toThrow(expect.objectContaining({ schemaVersion: 2 }));
  });

  it.each([
    [
      stored("pool", { ...sample("pool"), drainTimeoutS: "long" }),
      `Cannot read stored pool ${idOf(9)}: drain_timeout_s must be a whole number, not "long"`,
    ],
    [
      stored("pool", { ...sample("pool"), id: undefined, loadBalancerId: "x" }),
      /without id: load_balancer_id must be an id .*; id is required$/,
    ],
    [stored("listener", sample("listener")), `Cannot read stored pool ${idOf(9)}: a listener is stored there`],
    [bytesOf({ kind: "pool", entity: {} }), "Cannot read a stored pool: it has no schema version"],
    [bytesOf([]), "Cannot read a stored pool: it is not an object"],
    [new TextEncoder().encode("{"), "Cannot read a stored pool: it is not JSON"],
    [new Uint8Array([0xff]), "Cannot read a stored pool: it is not JSON"],
  ])("that are damaged are refused, case %#", (bytes, why) => {
    expect(() => decodeEntity("pool", bytes)).toThrow(why);
  });

  it("never give anything but an entity or a StoredFormatError", () => {
    const text = new TextDecoder().decode(encodeEntity("backend", sample("backend")));
    const cut = fc.tuple(fc.nat(text.length), fc.nat(5), fc.string({ maxLength: 3 }));
    fc.assert(
      fc.property(cut, ([at, removed, put]) => {
        const damaged = new TextEncoder().encode(text.slice(0, at) + put + text.slice(at + removed));
        try {
          expect(decodeEntity("backend", damaged)).toMatchObject({ port: expect.any(Number) });
        } catch (error) {
          expect(error).toBeInstanceOf(StoredFormatError);
        }
      }),
    );
  });
});
