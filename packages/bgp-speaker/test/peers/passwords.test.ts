import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { afterEach, beforeEach, expect, test } from "@jest/globals";

import { withPasswords } from "../../src/peers/passwords.ts";
import { peerSettings } from "./held-peer.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "passwords-"));
});

afterEach(() => rmSync(folder, { recursive: true }));

const read = (password: { readonly text: string } | { readonly file: string }) =>
  withPasswords([{ settings: peerSettings(), password }]);

test("a password is used as it is, one from a file without the newline at its end", async () => {
  const file = path.join(folder, "password");
  writeFileSync(file, " two words \n");
  expect((await read({ text: "s3cret" })).peers[0]?.password).toBe("s3cret");
  expect((await read({ file })).peers[0]?.password).toBe(" two words ");
  writeFileSync(file, "changed");
  expect((await read({ file })).peers[0]?.password).toBe("changed");
});

test("a file that can't be read, or holds no password, is a problem of its peer", async () => {
  const missing = path.join(folder, "missing");
  expect((await read({ file: missing })).problems.get("10.0.0.254")).toMatch(/cannot read passwordFile .*ENOENT/);
  const empty = path.join(folder, "empty");
  writeFileSync(empty, "\n");
  const { peers, problems } = await read({ file: empty });
  expect({ peers, problem: problems.get("10.0.0.254") }).toEqual({
    peers: [],
    problem: `the password in ${empty} is empty`,
  });
});
