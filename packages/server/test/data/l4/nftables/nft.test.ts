import { describe, expect, test } from "@jest/globals";

import type { Command, CommandResult } from "../../../../src/data/l4/nftables/command.ts";
import { deleteArguments, deleteFlows } from "../../../../src/data/l4/nftables/conntrack.ts";
import { NftablesDriver } from "../../../../src/data/l4/nftables/driver.ts";
import type { Fragment } from "../../../../src/data/l4/nftables/fragment.ts";
import { explainNft, Nft } from "../../../../src/data/l4/nftables/nft.ts";

const answering = (part: Partial<CommandResult>) => (): Promise<CommandResult> =>
  Promise.resolve({ code: 0, stdout: "", stderr: "", ...part });
const failing = (code: string) => (): Promise<CommandResult> =>
  Promise.reject(Object.assign(new Error(`spawn ${code}`), { code }));

describe("what nft says", () => {
  test.each([
    ["Operation not permitted (you must be root)\nnetlink: Error: cache", "permission", "needs CAP_NET_ADMIN"],
    [
      "/dev/stdin:1:1-9: Error: No such file or directory\nadd rule inet fiberlb x\n   ^^^",
      "not-found",
      'in "add rule inet fiberlb x"',
    ],
    [
      "/dev/stdin:1:1-9: Error: Could not process rule: Operation not supported\nadd rule y\n^^",
      "refused",
      "Could not process rule: Operation not supported",
    ],
    ["", "refused", "nft ended with code 1"],
  ])("%j is %s", (stderr, kind, message) => {
    const error = explainNft(stderr, 1);
    expect([error.kind, error.message]).toEqual([kind, expect.stringContaining(message)]);
  });

  test("a statement of a hundred thousand elements is not repeated", () => {
    expect(explainNft(`x: Error: no\nadd element ${"1, ".repeat(1e5)}`, 1).message.length).toBeLessThan(250);
  });

  test("a program that is missing is named, with what to do", async () => {
    await expect(new Nft(failing("ENOENT")).load("x")).rejects.toThrow("nft is not installed; install nftables");
    await expect(new Nft(failing("EACCES")).load("x")).rejects.toThrow("nft cannot be started");
  });
});

describe("listings", () => {
  const elements = (kind: "set" | "map", elem: unknown) =>
    new Nft(answering({ stdout: JSON.stringify({ nftables: [{ metainfo: {} }, { [kind]: { elem } }] }) })).elements(
      kind,
      "s",
    );

  test("of counters", async () => {
    const elem = { val: { concat: ["10.0.0.1", "tcp", 80] }, counter: { packets: 3, bytes: 180 } };
    expect(await elements("set", [{ elem }])).toEqual([
      { key: "10.0.0.1 . tcp . 80", data: "", packets: 3, bytes: 180 },
    ]);
  });

  test("of verdicts, on a host without /etc/protocols", async () => {
    const key = { concat: ["10.0.0.1", 17, 53] };
    expect(
      await elements("map", [
        [key, { goto: { target: "c" } }],
        [key, { accept: null }],
      ]),
    ).toMatchObject([{ key: "10.0.0.1 . udp . 53", data: "goto c" }, { data: "accept" }]);
  });

  test("of plain elements, and of none", async () => {
    expect(await elements("set", ["10.0.0.1"])).toMatchObject([{ key: "10.0.0.1", data: "" }]);
    expect(await elements("set", undefined)).toEqual([]);
  });
});

describe("conntrack", () => {
  const group = {
    endpoint: { vip: "203.0.113.1", transport: "udp", port: 53 },
    address: "10.0.0.1",
    port: 5353,
  } as const;

  test("names both ends", () => {
    expect(deleteArguments(group).join(" ")).toBe(
      "-D -f ipv4 -p udp --orig-dst 203.0.113.1 --orig-port-dst 53 --reply-src 10.0.0.1 --reply-port-src 5353",
    );
  });

  test("having had nothing to delete is no failure", async () => {
    const stderr = "conntrack v1.4.7 (conntrack-tools): 0 flow entries have been deleted.\n";
    await expect(deleteFlows(answering({ code: 1, stderr }), group)).resolves.toBeUndefined();
    await expect(deleteFlows(answering({ code: 1, stderr: "conntrack: Operation failed" }), group)).rejects.toThrow(
      "Operation failed",
    );
    await expect(deleteFlows(failing("ENOENT"), group)).rejects.toThrow("conntrack is not installed");
  });
});

describe("the driver", () => {
  const fragment = (key: string, elements: number): Fragment => ({
    sets: new Map([
      [
        key,
        {
          kind: "set",
          declaration: "type mark;",
          elements: new Map(Array.from({ length: elements }, (_, at) => [`${at}`, ""])),
        },
      ],
    ]),
    chains: new Map(),
    elements: new Map(),
  });
  const base = { node: "lb-1", forwards: true, guardRouting: { ipv4: false, ipv6: false } };

  /** A kernel without a table; refuses transactions that contain a word. */
  function kernel(refuses?: string) {
    const loads: string[] = [];
    const run = ({ args, input = "" }: Command): Promise<CommandResult> => {
      if (args[0] !== "-f") return answering({ code: 1, stderr: "Error: No such file or directory" })();
      if (refuses !== undefined && input.includes(refuses))
        return answering({ code: 1, stderr: "Error: Operation not supported" })();
      loads.push(input);
      return answering({})();
    };
    return { loads, run };
  }

  test("loads in slices, and what did not change not at all", async () => {
    const { loads, run } = kernel();
    const driver = new NftablesDriver({ run, sliceElements: 10 });
    const fragments = new Map(["a", "b", "c", "d"].map((key) => [key, fragment(key, 5)]));
    await driver.apply({ base, fragments });
    expect(loads.map((text) => [...text.matchAll(/add set inet fiberlb (\w) /g)].map(([, key]) => key))).toEqual([
      ["a", "b"],
      ["c", "d"],
    ]);
    expect(loads[0]).toMatch(/^add table inet fiberlb \{ comment "fiberlb node=lb-1"; \}\n/);
    await driver.apply({ base, fragments });
    expect(loads).toHaveLength(2);
    await driver.apply({ base, fragments: new Map() });
    expect(loads.slice(2)).toEqual(["delete table inet fiberlb\n"]);
  });

  test("finds the one load balancer that the kernel refuses, and tells why", async () => {
    const { loads, run } = kernel("inet fiberlb bad ");
    const fragments = new Map(["a", "b", "bad", "c", "d"].map((key) => [key, fragment(key, 1)]));
    const { problem, refused } = await new NftablesDriver({ run }).apply({ base, fragments });
    expect([problem, [...refused.keys()]]).toEqual([undefined, ["bad"]]);
    expect(refused.get("bad")).toContain("Operation not supported");
    const loaded = loads.flatMap((text) => [...text.matchAll(/add set inet fiberlb ([abcd]) /g)].map(([, key]) => key));
    expect(loaded).toEqual(["a", "b", "c", "d"]);
  });

  test("a base that the kernel refuses is everybody's problem", async () => {
    const { run } = kernel("hook postrouting");
    const report = await new NftablesDriver({ run }).apply({ base, fragments: new Map([["a", fragment("a", 1)]]) });
    expect(report.problem).toContain("Operation not supported");
  });
});
