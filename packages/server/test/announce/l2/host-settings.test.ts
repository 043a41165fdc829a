import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";

import { readLink } from "../../../src/announce/l2/link.ts";
import { permitNonlocalBind } from "../../../src/announce/l2/nonlocal-bind.ts";
import { silentLog } from "../../../src/log.ts";

let root: string;
beforeEach(() => void (root = mkdtempSync(path.join(tmpdir(), "fl-l2-"))));
afterEach(() => rmSync(root, { recursive: true }));

function write(file: string, text: string): void {
  mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
  writeFileSync(path.join(root, file), text);
}

describe("an interface", () => {
  test("is read with what frames need", () => {
    write("eth0/operstate", "up\n");
    write("eth0/ifindex", "3\n");
    write("eth0/address", "02:00:00:00:00:01\n");
    expect(readLink("eth0", root)).toEqual({ ok: true, link: { index: 3, mac: Uint8Array.of(2, 0, 0, 0, 0, 1) } });
  });

  test.each([
    ["is down", "down\n", "02:00:00:00:00:01", "interface eth0 is down"],
    ["has lost what it stands on", "lowerlayerdown\n", "02:00:00:00:00:01", "interface eth0 is lowerlayerdown"],
    ["has no Ethernet address", "unknown\n", "", "interface eth0 cannot be used: nothing is no Ethernet address"],
  ])("that %s says so", (_what, state, mac, reason) => {
    write("eth0/operstate", state);
    write("eth0/ifindex", "3\n");
    write("eth0/address", mac);
    expect(readLink("eth0", root)).toEqual({ ok: false, reason });
  });

  test("that does not exist says so", () => {
    expect(readLink("eth7", root)).toEqual({ ok: false, reason: "interface eth7 does not exist on this node" });
  });
});

describe("binding addresses that are not here", () => {
  const v4 = "net/ipv4/ip_nonlocal_bind";
  const v6 = "net/ipv6/ip_nonlocal_bind";

  test("is permitted for the families that are used", () => {
    write(v4, "0\n");
    write(v6, "0\n");
    expect(permitNonlocalBind(["IPV4"], { log: silentLog, root })).toEqual(new Map());
    expect([v4, v6].map((file) => readFileSync(path.join(root, file), "utf8").trim())).toEqual(["1", "0"]);
  });

  test("says what to do where it can't be", () => {
    expect(permitNonlocalBind(["IPV6"], { log: silentLog, root }).get("IPV6")).toMatch(
      /^net\.ipv6\.ip_nonlocal_bind is not 1 and can't be set .*sysctl -w net\.ipv6\.ip_nonlocal_bind=1/,
    );
  });
});
