import type { NetworkInterfaceInfo } from "node:os";

import type { Node, NodeDrain } from "@fiberlb/types";
import { beforeEach, describe, expect, test } from "@jest/globals";

import { hostAddresses, NodeReport, stateOf } from "../src/node-report.ts";

const identity = { name: "lb-1", version: "1.2.3", startedAt: "2026-01-01T00:00:00.000Z" };
const since = "2026-01-01T00:00:10.000Z";
let published: Node[];
let report: NodeReport;

beforeEach(() => {
  published = [];
  report = new NodeReport({
    identity,
    session: { publish: (node) => void published.push(node) },
    describe: () => ({ addresses: ["10.0.0.5"], capabilities: ["userspace", "nftables"] }),
  });
});

describe("the node's record", () => {
  test("says who it is, what it has applied and what its host can do", () => {
    report.applied({ revision: 7, problems: [] });
    expect(published).toEqual([
      {
        ...identity,
        state: "READY",
        addresses: ["10.0.0.5"],
        capabilities: ["userspace", "nftables"],
        appliedRevision: 7,
        problems: [],
      },
    ]);
  });

  test("is not there before something of the store was applied: others would wait for it", () => {
    report.applied({ revision: 0, problems: [] });
    report.draining({ since, vipsAnnounced: 0, connectionsActive: 3 });
    expect(published).toEqual([]);
    report.applied({ revision: 1, problems: [] });
    expect(published).toMatchObject([{ state: "DRAINING", drain: { connectionsActive: 3 } }]);
  });

  test("loses the drain with the order", () => {
    report.applied({ revision: 1, problems: [] });
    report.draining({ since, vipsAnnounced: 0, connectionsActive: 0 });
    report.draining(undefined);
    expect(published.map(({ state }) => state)).toEqual(["READY", "DRAINED", "READY"]);
    expect(published.at(-1)).not.toHaveProperty("drain");
  });
});

test.each<[NodeDrain | undefined, Node["state"]]>([
  [undefined, "READY"],
  [{ since, vipsAnnounced: 1, connectionsActive: 0 }, "DRAINING"],
  [{ since, vipsAnnounced: 0, connectionsActive: 1 }, "DRAINING"],
  [{ since, vipsAnnounced: 0, connectionsActive: 0 }, "DRAINED"],
])("with %j the state is %s", (drain, state) => {
  expect(stateOf(drain)).toBe(state);
});

test("a host's addresses are neither loopback, nor link-local, nor VIPs; IPv4 comes first", () => {
  const address = (text: string, internal = false): NetworkInterfaceInfo =>
    ({ address: text, family: text.includes(":") ? "IPv6" : "IPv4", internal }) as NetworkInterfaceInfo;
  const interfaces = {
    lo: [address("127.0.0.1", true), address("::1", true), address("203.0.113.1", true)],
    eth0: [address("2001:db8::5"), address("10.0.0.5"), address("fe80::1"), address("203.0.113.7")],
    eth1: [address("192.168.1.5"), address("169.254.9.9")],
    down: undefined,
  };
  expect(hostAddresses(interfaces, new Set(["203.0.113.7"]))).toEqual(["10.0.0.5", "192.168.1.5", "2001:db8::5"]);
});
