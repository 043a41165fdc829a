import { create, fromJson } from "@bufbuild/protobuf";
import { FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import { applyUpdate, parseSpec } from "@fiberlb/types";
import { describe, expect, it } from "@jest/globals";

import {
  BackendSchema,
  CreateBackendRequestSchema,
  CreateListenerRequestSchema,
  fieldMaskPaths,
  fromCreateRequest,
  fromMessage,
  L7PolicyActionSchema,
  L7PolicySchema,
  ListenerProtocol,
  ListenerSchema,
  NodeSchema,
  PoolSchema,
  shortName,
  TlsVersionSchema,
  toMessage,
  UpdateBackendRequestSchema,
  VipPoolSchema,
} from "../src/index.ts";

const ID = "019a3c7e-0b1d-7c44-8f6e-2b9d1c5a7e30";

describe("toMessage", () => {
  it("gives enums their numbers and numbers their width", () => {
    const message = toMessage(ListenerSchema, { protocol: "HTTP", maxRequestBodyBytes: 5, port: 80, revision: 7 });
    expect(message).toMatchObject({ protocol: ListenerProtocol.HTTP, maxRequestBodyBytes: 5n, port: 80, revision: 7n });
  });

  it("lets later parts win, so that a status can be laid over an entity", () => {
    expect(toMessage(BackendSchema, { name: "a" }, { name: "b", status: "ONLINE" })).toMatchObject({
      name: "b",
      status: 1,
    });
  });

  it("has no way for what the message lacks, such as a private key", () => {
    expect(fromMessage(BackendSchema, toMessage(BackendSchema, { sealedPrivateKey: "x", port: 1 }))).toEqual({
      port: 1,
    });
  });

  it("refuses an enum value that the API lacks", () => {
    expect(() => toMessage(ListenerSchema, { protocol: "SCTP" })).toThrow(
      "Cannot convert to fiberlb.v1.ListenerProtocol: SCTP is no value of it",
    );
  });

  it("takes bigints for counts that are larger than a number holds", () => {
    expect(toMessage(VipPoolSchema, { addressesTotal: 2n ** 64n - 1n }).addressesTotal).toBe(
      18_446_744_073_709_551_615n,
    );
  });

  it("maps what a node publishes", () => {
    const node = {
      name: "lb-1",
      state: "DRAINING",
      addresses: ["192.0.2.1"],
      version: "0.1.0",
      appliedRevision: 42,
      problems: [{ loadBalancerId: ID, reason: "cannot add VIP" }],
      startedAt: "2026-01-02T03:04:05.678Z",
      capabilities: ["nftables"],
    };
    expect(fromMessage(NodeSchema, toMessage(NodeSchema, node))).toEqual(node);
  });
});

describe("fromMessage", () => {
  it("tells an explicit zero from an absent field where the field has presence", () => {
    const zero = fromJson(CreateBackendRequestSchema, { weight: 0, adminStateUp: false, port: 0 });
    expect(fromMessage(CreateBackendRequestSchema, zero)).toEqual({ weight: 0, adminStateUp: false });
    expect(fromMessage(CreateBackendRequestSchema, create(CreateBackendRequestSchema))).toEqual({});
  });

  it("keeps map entries with an empty value", () => {
    const policy = create(L7PolicySchema, { setRequestHeaders: { "x-debug": "" } });
    expect(fromMessage(L7PolicySchema, policy)).toEqual({ setRequestHeaders: { "x-debug": "" } });
  });

  it("keeps a nested message that is there but empty", () => {
    expect(fromMessage(PoolSchema, create(PoolSchema, { outlierDetection: {} }))).toEqual({ outlierDetection: {} });
  });

  it("hands what the domain cannot hold to validation, which names the field", () => {
    const request = create(CreateListenerRequestSchema, {
      loadBalancerId: ID,
      protocol: 99 as ListenerProtocol,
      port: 80,
      maxRequestBodyBytes: 2n ** 60n,
    });
    const { input } = fromCreateRequest(CreateListenerRequestSchema, request);
    expect(parseSpec("listener", input)).toEqual({
      ok: false,
      violations: [
        {
          field: "protocol",
          description: 'must be one of TCP, UDP, TLS, HTTP, HTTPS, not "99"',
          reason: "NOT_ALLOWED",
        },
        {
          field: "max_request_body_bytes",
          description: "must be a whole number, not 1152921504606846976",
          reason: "INVALID_TYPE",
        },
      ],
    });
  });

  it("does not throw at a time that no Date holds", () => {
    const message = create(ListenerSchema, { createdAt: { seconds: 2n ** 62n, nanos: 0 } });
    expect(fromMessage(ListenerSchema, message)).toEqual({ createdAt: "4611686018427387904 s after 1970" });
  });
});

it("shortName takes the enum's own prefix off and nothing else", () => {
  expect(shortName(TlsVersionSchema, "TLS_VERSION_TLS_1_2")).toBe("TLS_1_2");
  expect(shortName(TlsVersionSchema, "TLS_1_2")).toBe("TLS_1_2");
  expect(shortName(L7PolicyActionSchema, "L7_POLICY_ACTION_REJECT")).toBe("REJECT");
});

describe("updates", () => {
  it("read masks from JSON as applyUpdate wants them", () => {
    const request = fromJson(UpdateBackendRequestSchema, {
      backend: { id: ID, weight: 0, monitorPort: 8081 },
      updateMask: "weight,monitorPort,weight",
    });
    expect(fieldMaskPaths(request.updateMask)).toEqual(["weight", "monitor_port"]);
    const created = parseSpec("backend", { poolId: ID, address: "192.0.2.1", port: 80, name: "a" });
    if (!created.ok || request.backend === undefined) throw new Error("the request is good");
    const patch = fromMessage(BackendSchema, request.backend);
    const updated = applyUpdate("backend", created.value as never, patch, fieldMaskPaths(request.updateMask));
    expect(updated).toMatchObject({ ok: true, value: { weight: 0, monitorPort: 8081, address: "192.0.2.1" } });
  });

  it("have no paths without a mask", () => {
    expect(fieldMaskPaths(undefined)).toEqual([]);
    expect(fieldMaskPaths(create(FieldMaskSchema))).toEqual([]);
  });
});
