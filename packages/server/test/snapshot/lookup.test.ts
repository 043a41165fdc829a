import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { afterAll, expect, test } from "@jest/globals";

import { createSystemLookup } from "../../src/snapshot/lookup.ts";

const folder = mkdtempSync(path.join(tmpdir(), "fiberlb-hosts-"));
const hostsFile = path.join(folder, "hosts");
writeFileSync(hostsFile, "192.0.2.7 db.test\n2001:db8::7 db.test\n");
afterAll(() => rmSync(folder, { recursive: true }));

test("the hosts file comes first, and tells no lifetime", async () => {
  expect(await createSystemLookup(hostsFile)("db.test")).toEqual([
    { address: "192.0.2.7" },
    { address: "2001:db8::7" },
  ]);
});

test("localhost works on every host", async () => {
  const found = await createSystemLookup()("localhost");
  expect(found.map(({ address }) => address)).toEqual(expect.arrayContaining([expect.stringMatching(/^(127\.|::1$)/)]));
});
