/**
 * How the process that follows a dead one has its guard leave: it connects to the guard's socket, and may act when that
 * connection has ended.
 */
import { chmodSync, rmSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";

import type { Clock } from "../../clock.ts";

/** Opens the guard's socket. @param relieve resolves when the guard touches nothing any more */
export async function openGuardSocket(path: string, relieve: () => Promise<void>): Promise<Server> {
  rmSync(path, { force: true });
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    void relieve().then(() => socket.end());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      chmodSync(path, 0o600);
      resolve();
    });
  });
  return server;
}

/** Has the guard of an earlier process leave, if there is one. Resolves when it has, at the latest after `RELIEF_MS`. */
export function relieveGuard(path: string, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const cancel = clock.after(RELIEF_MS, () => socket.destroy());
    socket.resume();
    // None is there, or it has just gone.
    socket.once("error", () => socket.destroy());
    socket.once("close", () => {
      cancel();
      resolve();
    });
  });
}

const RELIEF_MS = 2000;
