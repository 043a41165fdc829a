import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { parseConfig } from "../src/config/config.ts";
import { deriveSessionKey, deriveTicketSecret, loadKey } from "../src/key-file.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fiberlb-key-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function keyOf(flags: Readonly<Record<string, unknown>>): Uint8Array {
  const parsed = parseConfig({ env: {}, flags });
  if (!parsed.ok) throw new Error(parsed.problems.join("\n"));
  return loadKey(parsed.config);
}

describe("loadKey", () => {
  it("makes a key beside the SQLite file, for its owner alone, and finds it again", () => {
    const flags = { "store.kind": "sqlite", "store.path": join(folder, "data", "fiberlb.db") };
    const made = keyOf(flags);
    expect(made).toHaveLength(32);
    expect(statSync(join(folder, "data", "fiberlb.key")).mode & 0o777).toBe(0o600);
    expect(Buffer.from(keyOf(flags)).equals(made)).toBe(true);
  });

  it("names a file that holds no key, and says how to make one, without what is in it", () => {
    const path = join(folder, "key");
    writeFileSync(path, "c2VjcmV0");
    expect(() => keyOf({ "secrets.keyFile": path })).toThrow(
      `Cannot use the key file ${path}: it must hold 32 bytes in base64 (openssl rand -base64 32), not 6`,
    );
  });
});

describe("secrets derived from the key", () => {
  const key = new Uint8Array(32).fill(1);
  const other = new Uint8Array(32).fill(2);

  it("are the same on every node with the same key, and others with another", () => {
    expect(deriveTicketSecret(key)).toEqual(deriveTicketSecret(Uint8Array.from(key)));
    expect(deriveTicketSecret(key)).not.toEqual(deriveTicketSecret(other));
    expect(deriveTicketSecret(key)).toHaveLength(32);
  });

  it("differ from each other and from the key", () => {
    const all = [key, deriveSessionKey(key), deriveTicketSecret(key)].map((one) => Buffer.from(one).toString("hex"));
    expect(new Set(all).size).toBe(3);
  });
});
