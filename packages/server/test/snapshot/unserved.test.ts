import { describe, expect, it } from "@jest/globals";

import { unservedSettings } from "../../src/snapshot/unserved.ts";
import { entity, nextId } from "./entities.ts";

function reasons(wanted: object): string[] {
  const loadBalancer = entity("loadBalancer", { record: { vipAddress: "127.10.0.1", vipPool: "default" } });
  const own = { name: "in", loadBalancerId: loadBalancer.id, protocol: "TCP", port: 80, ...wanted };
  return unservedSettings({ loadBalancer, listeners: [entity("listener", own)] }).map(({ reason }) => reason);
}

const certificateIds = [nextId()];
const PROXY_PROTOCOL = { acceptProxyProtocol: true, proxyProtocolTrustedCidrs: ["127.0.0.0/8"] };

describe("unservedSettings", () => {
  it.each<object>([
    {},
    { protocol: "UDP" },
    { protocol: "TLS", certificateIds },
    { protocol: "HTTP", requestsPerSPerSource: 5 },
    { protocol: "HTTPS", certificateIds },
    PROXY_PROTOCOL,
  ])("has nothing to say of %j", (listener) => expect(reasons(listener)).toEqual([]));

  it.each(["TCP", "UDP", "HTTP"])("says of a %s listener that its access log is not served", (protocol) =>
    expect(reasons({ protocol, accessLog: { format: "JSON" } })).toEqual([
      "listener in: access_log is not served by this release; remove it",
    ]),
  );
});
