import { describe, expect, it } from "@jest/globals";

import { withImpliedProtocols } from "../../src/apply/implied-protocol.ts";

/** The protocols of the pools, as they stand after the completion. */
function protocols(loadBalancer: object): unknown[] {
  const { loadBalancers } = withImpliedProtocols({ loadBalancers: [loadBalancer] }) as {
    loadBalancers: { pools: { protocol?: string }[] }[];
  };
  return loadBalancers[0]!.pools.map(({ protocol }) => protocol);
}

const pools = [{ name: "app" }, { name: "other" }];

describe("withImpliedProtocols", () => {
  it.each<[string, object[], unknown[]]>([
    ["the default pool of an HTTP listener", [{ protocol: "HTTP", defaultPool: "app" }], ["HTTP", undefined]],
    ["an HTTPS listener's, too: it terminates", [{ protocol: "HTTPS", defaultPool: "app" }], ["HTTP", undefined]],
    ["enum names in full", [{ protocol: "LISTENER_PROTOCOL_UDP", defaultPool: "other" }], [undefined, "UDP"]],
    ["a pool of a policy", [{ protocol: "HTTP", policies: [{ pool: "other" }] }], [undefined, "HTTP"]],
    [
      "weighted pools",
      [{ protocol: "HTTP", policies: [{ pools: [{ pool: "app" }, { pool: "other" }] }] }],
      ["HTTP", "HTTP"],
    ],
    [
      "listeners that differ leave the default",
      [
        { protocol: "TCP", defaultPool: "app" },
        { protocol: "HTTP", defaultPool: "app" },
      ],
      [undefined, undefined],
    ],
    [
      "an unknown protocol is somebody else's to refuse",
      [{ protocol: "FTP", defaultPool: "app" }],
      [undefined, undefined],
    ],
  ])("%s", (_what, listeners, expected) => expect(protocols({ pools, listeners })).toEqual(expected));

  it("leaves what is written", () => {
    const listeners = [{ protocol: "HTTP", defaultPool: "app" }];
    expect(protocols({ pools: [{ name: "app", protocol: "H2C" }], listeners })).toEqual(["H2C"]);
  });

  it.each([[{}], [{ loadBalancers: "x" }], [{ loadBalancers: [1, { pools: 2 }] }]])("lets %j through", (file) =>
    expect(withImpliedProtocols(file)).toEqual(file),
  );
});
