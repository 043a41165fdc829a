import { describe, expect, it } from "@jest/globals";

import { unservedSettings } from "../../src/snapshot/unserved.ts";
import { entity, nextId } from "./entities.ts";

function reasons(wanted: { listener?: object; pool?: object; policy?: boolean }): string[] {
  const loadBalancer = entity("loadBalancer", { record: { vipAddress: "127.10.0.1", vipPool: "default" } });
  const pool = entity("pool", { loadBalancerId: loadBalancer.id, name: "app", ...wanted.pool });
  const own = { name: "in", loadBalancerId: loadBalancer.id, protocol: "TCP", port: 80, ...wanted.listener };
  const listener = entity("listener", own);
  const policy = { listenerId: listener.id, action: "REJECT" };
  const l7Policies = wanted.policy === true ? [entity("l7Policy", policy)] : [];
  return unservedSettings({ loadBalancer, listeners: [listener], pools: [pool], l7Policies }).map(
    ({ reason }) => reason,
  );
}

const HTTP = { protocol: "HTTP" };
const HTTPS = { protocol: "HTTPS", certificateIds: [nextId()] };
const TLS = { protocol: "TLS", certificateIds: [nextId()] };

describe("unservedSettings", () => {
  it("knows policies of HTTP listeners", () => expect(reasons({ listener: HTTP, policy: true })).toEqual([]));

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
    [{ listener: { acceptProxyProtocol: true } }, "listener in: accept_proxy_protocol is not served"],
    [{ listener: { accessLog: { format: "JSON" } } }, "listener in: access_log is not served"],
    [{ listener: { ...HTTP, accessLog: { format: "JSON" } } }, "listener in: access_log is not served"],
    [{ listener: { ...TLS, acceptProxyProtocol: true } }, "listener in: accept_proxy_protocol is not served"],
    [{ listener: { protocol: "UDP", accessLog: { format: "JSON" } } }, "listener in: access_log is not served"],
    [{ policy: true }, "listener in: routing by SNI is not served"],
    [{ pool: { forwarding: "DSR" } }, "pool app: forwarding DSR needs the kernel driver"],
    [{ pool: { forwarding: "NAT" } }, "pool app: forwarding NAT needs the kernel driver"],
    [{ pool: { sendProxyProtocol: "V2" } }, "pool app: send_proxy_protocol is not served"],
  ])("says of %j: %s", (wanted, start) => expect(reasons(wanted)).toEqual([expect.stringContaining(start)]));
});
