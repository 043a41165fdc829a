import { describe, expect, it } from "@jest/globals";

import { unservedSettings } from "../../src/snapshot/unserved.ts";
import { entity, nextId } from "./entities.ts";

function reasons(wanted: { listener?: object; pool?: object }): string[] {
  const loadBalancer = entity("loadBalancer", { record: { vipAddress: "127.10.0.1", vipPool: "default" } });
  const pool = entity("pool", { loadBalancerId: loadBalancer.id, name: "app", ...wanted.pool });
  const own = { name: "in", loadBalancerId: loadBalancer.id, protocol: "TCP", port: 80, ...wanted.listener };
  const listener = entity("listener", own);
  return unservedSettings({ loadBalancer, listeners: [listener], pools: [pool] }).map(({ reason }) => reason);
}

const HTTP = { protocol: "HTTP" };
const HTTPS = { protocol: "HTTPS", certificateIds: [nextId()] };
const TLS = { protocol: "TLS", certificateIds: [nextId()] };

describe("unservedSettings", () => {
  it("knows the PROXY protocol", () => {
    const listener = { acceptProxyProtocol: true, proxyProtocolTrustedCidrs: ["127.0.0.0/8"] };
    expect(reasons({ listener, pool: { sendProxyProtocol: "V2" } })).toEqual([]);
  });

  it("knows pools that hash a cookie", () => {
    const pool = { protocol: "HTTP", algorithm: "MAGLEV", maglev: { hashKey: "COOKIE", hashKeyName: "id" } };
    expect(reasons({ pool })).toEqual([]);
  });

  it("has nothing to say of defaults", () => expect(reasons({})).toEqual([]));

  it.each(["TCP", "HTTP", "HTTPS", "H2C"])("has nothing to say of %s pools", (protocol) =>
    expect(reasons({ pool: { protocol } })).toEqual([]),
  );

  it.each([TLS, HTTPS])("has nothing to say of TLS: %j", (listener) => expect(reasons({ listener })).toEqual([]));

  it.each<[object, string]>([
    [{ listener: { accessLog: { format: "JSON" } } }, "listener in: access_log is not served"],
    [{ listener: { ...HTTP, accessLog: { format: "JSON" } } }, "listener in: access_log is not served"],
    [{ listener: { ...HTTP, requestsPerSPerSource: 5 } }, "listener in: requests_per_s_per_source is not served"],
    [{ listener: { ...HTTPS, requestsPerSPerSource: 5 } }, "listener in: requests_per_s_per_source is not served"],
    [{ listener: { protocol: "UDP", accessLog: { format: "JSON" } } }, "listener in: access_log is not served"],
    [{ pool: { outlierDetection: {} } }, "pool app: outlier_detection is not served"],
    [{ pool: { queueTimeoutMs: 5 } }, "pool app: queue_timeout_ms is not served"],
  ])("says of %j: %s", (wanted, start) => expect(reasons(wanted)).toEqual([expect.stringContaining(start)]));
});
