import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, it } from "@jest/globals";

import { askForBackup, controlSocketPath, openControlSocket } from "../src/control-socket.ts";

let folder: string;
let socket: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fiberlb-socket-"));
  socket = controlSocketPath(folder);
});
afterEach(() => rmSync(folder, { recursive: true }));

it("hands a backup's path to the node, and only its owner can ask", async () => {
  const asked: string[] = [];
  const open = await openControlSocket(socket, { backup: (path) => Promise.resolve(void asked.push(path)) });
  expect(statSync(socket).mode & 0o777).toBe(0o600);
  expect(await askForBackup(socket, "/tmp/a b.db")).toBe(true);
  expect(asked).toEqual(["/tmp/a b.db"]);
  await open.close();
});

it("tells the caller what went wrong", async () => {
  const open = await openControlSocket(socket, {
    backup: () => Promise.reject(new Error("Cannot back up: the file exists")),
  });
  await expect(askForBackup(socket, "/x")).rejects.toThrow("Cannot back up: the file exists");
  await open.close();
});

it("says that no node listens", async () => {
  expect(await askForBackup(socket, "/x")).toBe(false);
});

it("replaces a socket that a crash left behind", async () => {
  writeFileSync(socket, "");
  const open = await openControlSocket(socket, { backup: () => Promise.resolve() });
  expect(await askForBackup(socket, "/x")).toBe(true);
  await open.close();
});
