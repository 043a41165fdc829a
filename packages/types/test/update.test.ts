import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { applyUpdate, immutableFields, type ResourceKind, resourceKinds, updatableFields } from "../src/index.ts";
import { idOf, sample, sentences, valueOf, violationsOf } from "./samples.ts";

const update = <K extends ResourceKind>(kind: K, patch: object, ...mask: string[]) =>
  applyUpdate(kind, sample(kind), patch, mask);

describe("applyUpdate", () => {
  it("takes the fields that the mask names and no other", () => {
    const before = sample("backend");
    const after = valueOf(
      applyUpdate("backend", before, { weight: 5, backup: true, address: "192.0.2.99" }, ["weight"]),
    );
    expect(after).toEqual({ ...before, weight: 5 });
    expect(before.weight).toBe(1);
  });

  it("gives a field that the patch lacks its default", () => {
    const before = sample("backend", { weight: 7, monitorAddress: "192.0.2.11", tags: { a: "b" } });
    const after = valueOf(applyUpdate("backend", before, {}, ["weight", "monitor_address", "tags"]));
    expect(after).toMatchObject({ weight: 1, tags: {} });
    expect(after).not.toHaveProperty("monitorAddress");
  });

  it("keeps an explicit zero", () => {
    expect(valueOf(update("backend", { weight: 0 }, "weight")).weight).toBe(0);
    expect(valueOf(update("pool", { adminStateUp: false }, "admin_state_up")).adminStateUp).toBe(false);
  });

  it("reaches into nested messages, in either spelling", () => {
    const before = sample("healthCheck", { type: "HTTP", http: { path: "/health", method: "HEAD" } });
    const patch = { http: { expectedCodes: "200-299", path: "/ignored" } };
    for (const path of ["http.expected_codes", "http.expectedCodes"]) {
      expect(valueOf(applyUpdate("healthCheck", before, patch, [path])).http).toEqual({
        method: "HEAD",
        path: "/health",
        expectedCodes: "200-299",
      });
    }
    expect(valueOf(applyUpdate("healthCheck", before, patch, ["http"])).http).toEqual({
      method: "GET",
      path: "/ignored",
      expectedCodes: "200-299",
    });
  });

  it("creates a nested message that was not there", () => {
    const after = valueOf(update("pool", { outlierDetection: { ejectionS: 60 } }, "outlier_detection.ejection_s"));
    expect(after.outlierDetection).toEqual({ consecutiveErrors: 5, ejectionS: 60, maxEjectedPercent: 10 });
  });

  it("clears a nested message, and what a default depends on comes back", () => {
    const before = sample("pool", { protocol: "HTTPS", backendTls: { skipVerify: true }, outlierDetection: {} });
    const after = valueOf(applyUpdate("pool", before, {}, ["backend_tls", "outlier_detection"]));
    expect(after.backendTls).toEqual({ skipVerify: false, alpnProtocols: ["http/1.1"] });
    expect(after).not.toHaveProperty("outlierDetection");
    const listener = sample("listener", { clientIdleTimeoutMs: 5 });
    expect(valueOf(applyUpdate("listener", listener, {}, ["client_idle_timeout_ms"])).clientIdleTimeoutMs).toBe(
      350_000,
    );
  });

  it("checks the result by all rules", () => {
    expect(sentences(update("healthCheck", { timeoutMs: 9000 }, "timeout_ms"))).toEqual([
      "timeout_ms must be at most interval_ms (5000), not 9000",
    ]);
    expect(
      valueOf(update("healthCheck", { timeoutMs: 9000, intervalMs: 9000 }, "timeout_ms", "interval_ms")),
    ).toMatchObject({
      timeoutMs: 9000,
    });
  });

  it("keeps what the server has stored beside the spec", () => {
    const before = {
      ...sample("pool"),
      maglev: { tableSize: 0, hashKey: "FIVE_TUPLE", effectiveTableSize: 1021 },
    } as const;
    const after = valueOf(applyUpdate("pool", before, { maglev: { hashKey: "SOURCE_IP" } }, ["maglev"]));
    expect(after.maglev).toEqual({ tableSize: 0, hashKey: "SOURCE_IP", effectiveTableSize: 1021 });
    expect(after).toMatchObject({
      id: before.id,
      revision: before.revision,
      createdAt: before.createdAt,
      orgId: "acme",
    });
  });

  it("keeps fields of a newer release, also nested ones and those of list entries that stay", () => {
    const pools = [
      { poolId: idOf(2), weight: 1, zone: "a" },
      { poolId: idOf(3), weight: 1, zone: "b" },
    ];
    const before = {
      ...sample("l7Policy", { action: "REDIRECT_TO_POOL", pools: [{ poolId: idOf(2) }, { poolId: idOf(3) }] }),
      pools,
      mirror: true,
    };
    const renamed = valueOf(applyUpdate("l7Policy", before as never, { name: "new" }, ["name"]));
    expect(renamed).toEqual({ ...before, name: "new" });
    const patch = {
      pools: [
        { poolId: idOf(2), weight: 1 },
        { poolId: idOf(3), weight: 9 },
      ],
    };
    expect(valueOf(applyUpdate("l7Policy", before as never, patch, ["pools"])).pools).toEqual([
      pools[0],
      { poolId: idOf(3), weight: 9 },
    ]);
  });

  it("updates a certificate without its private key, which is never read back", () => {
    const after = valueOf(update("certificate", { description: "wildcard" }, "description"));
    expect(after).toMatchObject({ description: "wildcard", sealedPrivateKey: "c2VhbGVk" });
  });
});

describe("masks", () => {
  it("must not be empty", () => {
    expect(sentences(update("vipPool", { cidrs: [] }))).toEqual([
      "update_mask must name the fields that change; a VIP pool has description, cidrs, auto_assign, announce, bgp",
    ]);
  });

  it.each(resourceKinds.flatMap((kind) => immutableFields(kind).map((field) => [kind, field] as const)))(
    "of a %s cannot name %s",
    (kind, field) => {
      const [violation] = violationsOf(applyUpdate(kind, sample(kind), {}, [field]));
      expect(violation).toMatchObject({ field, reason: "IMMUTABLE" });
      expect(violation?.description).toMatch(/^cannot change; create a new /);
    },
  );

  it.each([
    ["id", "is set by the server and cannot be changed"],
    ["revision", "is set by the server and cannot be changed"],
    ["org_id", "is set by the server and cannot be changed"],
    ["operating_status", "is set by the server and cannot be changed"],
    ["maglev.effective_table_size", "is set by the server and cannot be changed"],
  ])("cannot name %s", (path, description) => {
    expect(violationsOf(update("pool", {}, path))).toEqual([{ field: path, description, reason: "READ_ONLY" }]);
  });

  it.each([
    ["algoritm", 'names "algoritm", which a pool does not have; did you mean algorithm?'],
    ["maglev.size", /^names "maglev.size", which a pool does not have/],
    ["tags.a", /^names "tags.a", which a pool does not have/],
    ["*", /^names "\*", which a pool does not have; it has name, description, /],
    ["", /^names "", which a pool does not have/],
    ["__proto__", /^names "__proto__", which a pool does not have/],
    ["constructor.name", /^names "constructor.name", which a pool does not have/],
  ])("cannot name %j", (path, description) => {
    const [violation, ...others] = violationsOf(update("pool", {}, path));
    expect(others).toEqual([]);
    expect(violation).toMatchObject({ field: "update_mask", reason: "UNKNOWN_FIELD" });
    expect(violation?.description).toMatch(description);
  });

  it("cannot clear a name", () => {
    expect(sentences(update("listener", { name: "" }, "name"))).toEqual(["name is required"]);
  });

  it("tell of every fault at once, in the mask and in the values", () => {
    expect(sentences(update("backend", { weight: 300, port: 1 }, "port", "weight", "wight"))).toEqual([
      "port cannot change; create a new backend",
      'update_mask names "wight", which a backend does not have; did you mean weight?',
      "weight must be 0 to 256, not 300",
    ]);
  });

  it.each(resourceKinds)("that name what the patch repeats change nothing in a %s", (kind) => {
    const entity = sample(kind);
    fc.assert(
      fc.property(fc.subarray([...updatableFields(kind)], { minLength: 1 }), (mask) => {
        expect(applyUpdate(kind, entity, entity, mask)).toEqual({ ok: true, value: entity });
      }),
      { numRuns: 30 },
    );
  });
});
