import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { silentLog } from "../../src/log.ts";
import { createVipBinder } from "../../src/vip/binder.ts";
import { type BindMode, ipArguments, planBinding } from "../../src/vip/binding.ts";

const set = (...items: string[]): ReadonlySet<string> => new Set(items);

describe("planBinding", () => {
  it.each<[BindMode, string[], string[], string[], string[], string[]]>([
    // mode, desired, local, ours → add, remove
    ["assign", ["203.0.113.1"], [], [], ["203.0.113.1"], []],
    ["assign", ["203.0.113.1"], ["203.0.113.1"], [], [], []],
    ["assign", ["127.10.0.1"], [], [], [], []],
    ["assign", [], ["203.0.113.1", "203.0.113.2"], ["203.0.113.1"], [], ["203.0.113.1"]],
    ["assign", ["203.0.113.1"], ["203.0.113.1"], ["203.0.113.1"], [], []],
    ["existing", ["203.0.113.1"], [], ["203.0.113.2"], [], ["203.0.113.2"]],
    ["anyip", ["2001:db8::1"], [], [], ["2001:db8::1"], []],
  ])("%s: wants %j, has %j, ours %j → adds %j, removes %j", (mode, desired, local, ours, add, remove) => {
    expect(planBinding({ mode, desired: set(...desired), local: set(...local), ours: set(...ours) })).toEqual({
      add,
      remove,
    });
  });
});

describe("ipArguments", () => {
  it.each<["add" | "del", string, "assign" | "anyip", string]>([
    ["add", "203.0.113.1", "assign", "-4 addr add 203.0.113.1/32 dev lo"],
    ["add", "2001:db8::1", "assign", "-6 addr add 2001:db8::1/128 dev lo nodad"],
    ["del", "2001:db8::1", "assign", "-6 addr del 2001:db8::1/128 dev lo"],
    ["add", "203.0.113.1", "anyip", "-4 route replace local 203.0.113.1/32 dev lo"],
    ["del", "203.0.113.1", "anyip", "-4 route del local 203.0.113.1/32 dev lo"],
  ])("%s %s (%s): ip %s", (verb, address, mode, expected) =>
    expect(ipArguments(verb, address, mode).join(" ")).toBe(expected),
  );
});

describe("createVipBinder", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "fiberlb-binder-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function host(refuse: (args: string) => string | undefined = () => undefined) {
    const calls: string[] = [];
    return {
      calls,
      options: {
        mode: "assign" as const,
        log: silentLog,
        stateFile: join(folder, "vips.json"),
        localAddresses: () => set(),
        runIp: (args: readonly string[]) => {
          calls.push(args.join(" "));
          const error = refuse(args.join(" "));
          return error === undefined ? Promise.resolve() : Promise.reject(new Error(error));
        },
      },
    };
  }

  it("adds once and removes what is no longer wanted", async () => {
    const { calls, options } = host();
    const binder = createVipBinder(options);
    await binder.apply(set("203.0.113.1"));
    await binder.apply(set("203.0.113.1"));
    await binder.apply(set());
    expect(calls).toEqual(["-4 addr add 203.0.113.1/32 dev lo", "-4 addr del 203.0.113.1/32 dev lo"]);
  });

  it("says what is missing, and tries again with the next apply", async () => {
    let refused = true;
    const { options } = host(() => (refused ? "RTNETLINK answers: Operation not permitted" : undefined));
    const binder = createVipBinder(options);
    expect([...(await binder.apply(set("203.0.113.1")))]).toEqual([
      ["203.0.113.1", "cannot add VIP 203.0.113.1 to lo: needs CAP_NET_ADMIN, or dataPlane.bind: existing"],
    ]);
    refused = false;
    expect([...(await binder.apply(set("203.0.113.1")))]).toEqual([]);
  });

  it("gives back what a process before it added and did not remove", async () => {
    const first = host();
    await createVipBinder(first.options).apply(set("203.0.113.1"));
    const second = host();
    await createVipBinder(second.options).apply(set());
    expect(second.calls).toEqual(["-4 addr del 203.0.113.1/32 dev lo"]);
  });

  it("binds even when its memory cannot be written", async () => {
    const { calls, options } = host();
    writeFileSync(join(folder, "file"), "");
    const warnings: string[] = [];
    const log = { ...silentLog, warn: (event: string) => void warnings.push(event) };
    await createVipBinder({ ...options, log, stateFile: join(folder, "file", "vips.json") }).apply(set("203.0.113.1"));
    expect(calls).toHaveLength(1);
    expect(warnings).toContainEqual(expect.stringContaining("cannot write down"));
  });

  it("goes on without its memory when the file is broken", async () => {
    writeFileSync(join(folder, "vips.json"), "{");
    const { calls, options } = host();
    await createVipBinder(options).apply(set("203.0.113.1"));
    expect(calls).toHaveLength(1);
  });
});
