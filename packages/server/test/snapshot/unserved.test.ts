import { describe, expect, it } from "@jest/globals";

import { CertificateShelf } from "../../src/snapshot/certificate-shelf.ts";
import { unservedSettings } from "../../src/snapshot/unserved.ts";
import { entity } from "./entities.ts";

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

describe("unservedSettings", () => {
  it("knows policies of HTTP listeners", () => expect(reasons({ listener: HTTP, policy: true })).toEqual([]));

  it("knows pools that hash a cookie", () => {
    const pool = { protocol: "HTTP", algorithm: "MAGLEV", maglev: { hashKey: "COOKIE", hashKeyName: "id" } };
    expect(reasons({ pool })).toEqual([]);
  });

  it("has nothing to say of defaults", () => expect(reasons({})).toEqual([]));

  it.each<[object, string]>([
    [{ listener: { acceptProxyProtocol: true } }, "listener in: accept_proxy_protocol is not served"],
    [{ listener: { accessLog: { format: "JSON" } } }, "listener in: access_log is not served"],
    [{ listener: { ...HTTP, accessLog: { format: "JSON" } } }, "listener in: access_log is not served"],
    [{ listener: { ...HTTP, requestsPerSPerSource: 5 } }, "listener in: requests_per_s_per_source is not served"],
    [{ pool: { protocol: "HTTPS" } }, "pool app: protocol HTTPS is not served"],
    [{ pool: { protocol: "H2C" } }, "pool app: protocol H2C is not served"],
    [{ policy: true }, "listener in: routing by SNI is not served"],
    [{ pool: { sendProxyProtocol: "V2" } }, "pool app: send_proxy_protocol is not served"],
    [{ pool: { outlierDetection: {} } }, "pool app: outlier_detection is not served"],
    [{ pool: { queueTimeoutMs: 5 } }, "pool app: queue_timeout_ms is not served"],
  ])("says of %j: %s", (wanted, start) => expect(reasons(wanted)).toEqual([expect.stringContaining(start)]));
});

describe("CertificateShelf", () => {
  const owner = { orgId: "acme", projectId: "web" };

  it("reads a certificate once, and one that is not there again", async () => {
    const asked: string[] = [];
    const shelf = new CertificateShelf((_owner, id) => {
      asked.push(id);
      return Promise.resolve(id === "here" ? { certificatePem: "PEM" } : undefined);
    });
    await shelf.fetch(owner, ["here", "gone"]);
    await shelf.fetch(owner, ["here", "gone"]);
    expect(asked).toEqual(["here", "gone", "gone"]);
    expect(shelf.get("here")).toEqual({ certificatePem: "PEM" });
    expect(shelf.get("gone")).toBeUndefined();
  });
});
