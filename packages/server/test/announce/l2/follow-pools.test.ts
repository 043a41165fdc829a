import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { afterEach, beforeEach, expect, test } from "@jest/globals";

import { followLinkPools } from "../../../src/announce/l2/follow-pools.ts";
import { createLinkPoolFile } from "../../../src/announce/l2/link-pool-file.ts";
import { type Log, silentLog } from "../../../src/log.ts";
import { type AnnouncedPool, LinkVips } from "../../../src/vip/link-vips.ts";

const pool = (cidr: string, kind: "L2" | "BGP" = "L2"): AnnouncedPool => ({
  cidrs: [cidr] as unknown as AnnouncedPool["cidrs"],
  announce: { kind, interface: "eth0" },
});

let folder: string;
beforeEach(() => void (folder = mkdtempSync(path.join(tmpdir(), "fl-l2-"))));
afterEach(() => rmSync(folder, { recursive: true }));

/** A node that starts with these pools in its store; none: the store is away. */
function started(stored: AnnouncedPool[], configured: readonly AnnouncedPool[] = []) {
  const linkVips = new LinkVips();
  const warned: string[] = [];
  const permitted: string[] = [];
  const log: Log = { ...silentLog, warn: (event) => void warned.push(event) };
  let tell = (): void => undefined;
  followLinkPools(
    {
      all: () => stored,
      onChange: (listener) => {
        tell = listener;
        return () => undefined;
      },
    },
    {
      linkVips,
      configured,
      file: createLinkPoolFile(path.join(folder, "link-pools.json"), log),
      log,
      permit: (families) => {
        permitted.push([...families].join());
        return new Map();
      },
    },
  );
  return { linkVips, warned, permitted, changed: () => tell() };
}

test("pools of the store count, also those that come later, and the host is prepared for their families", () => {
  const stored = [pool("192.0.2.0/24"), pool("198.51.100.0/24", "BGP")];
  const { linkVips, permitted, changed } = started(stored);
  expect([linkVips.has("192.0.2.1"), linkVips.has("198.51.100.1")]).toEqual([true, false]);
  stored.push(pool("2001:db8::/64"));
  changed();
  expect(linkVips.has("2001:db8::1")).toBe(true);
  expect(permitted).toEqual(["IPV4", "IPV4,IPV6"]);
});

test("while the store is away those of the configuration count, and better those that were known last", () => {
  expect(started([], [pool("192.0.2.0/24")]).linkVips.has("192.0.2.1")).toBe(true);
  started([pool("203.0.113.0/24")]);
  const { linkVips } = started([], [pool("192.0.2.0/24")]);
  expect([linkVips.has("192.0.2.1"), linkVips.has("203.0.113.1")]).toEqual([false, true]);
});

test("a file that can't be read is said, and goes without", () => {
  writeFileSync(path.join(folder, "link-pools.json"), "{");
  const { linkVips, warned } = started([], [pool("192.0.2.0/24")]);
  expect(linkVips.has("192.0.2.1")).toBe(true);
  expect(warned).toEqual([expect.stringContaining("cannot read which VIP pools")]);
});
