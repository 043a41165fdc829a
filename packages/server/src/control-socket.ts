/**
 * The local side door of a running node: a Unix socket beside the database that only its owner can open. It carries what
 * is no business of the API's tenants: a backup into a file of this host, and the hand-over to another process.
 */
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";

import { TAKEOVER_PROTOCOL } from "./takeover/messages.ts";

/** Where the socket of a node is that keeps its files in this folder. */
export const controlSocketPath = (dataFolder: string): string => join(dataFolder, "control.sock");

/** What a node does for whoever asks by the socket. A rejection's message goes to the caller. */
export interface ControlCommands {
  backup(path: string): Promise<void>;
  /** Hands over to the process at the other end. Not called while `refuseTakeover` has a reason. */
  handOver?(stream: Duplex): void;
  /** Why nobody can take over now; undefined: somebody can. */
  refuseTakeover?(): string | undefined;
}

/** Longest request: a path and what is around it. */
const MAX_BODY_BYTES = 16_384;

/**
 * Opens the socket, replacing one that a crash left behind.
 * @throws Error when another process answers there: with a store that several can open, nothing else has stopped it.
 */
export async function openControlSocket(path: string, commands: ControlCommands): Promise<{ close(): Promise<void> }> {
  if (await answers(path)) throw new Error(`Cannot open the control socket: another process answers at ${path}`);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  rmSync(path, { force: true });
  const server = createServer((message, response) => {
    const length = Number(message.headers["content-length"] ?? Number.POSITIVE_INFINITY);
    const answer = (status: number, body: object): void => void response.writeHead(status).end(JSON.stringify(body));
    if (message.method !== "POST" || message.url !== "/backup" || length > MAX_BODY_BYTES)
      return answer(404, { error: "known here: POST /backup" });
    text(message)
      .then((body) => commands.backup((JSON.parse(body) as { path: string }).path))
      .then(
        () => answer(200, {}),
        (error: Error) => answer(500, { error: error.message }),
      );
  });
  server.on("upgrade", ({ headers }, stream: Duplex, ahead: Buffer) => {
    if (ahead.length > 0) stream.unshift(ahead);
    answerUpgrade(stream, headers.upgrade, commands);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      chmodSync(path, 0o600);
      resolve();
    });
  });
  return { close: () => closeServer(server) };
}

/** Whether a process listens at a socket. */
export function answers(path: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(path);
    socket.once("error", () => done(false));
    socket.once("connect", () => {
      socket.destroy();
      done(true);
    });
  });
}

function answerUpgrade(stream: Duplex, protocol: string | undefined, commands: ControlCommands): void {
  const why = protocol === TAKEOVER_PROTOCOL ? commands.refuseTakeover?.() : "no such protocol";
  if (why === undefined && commands.handOver !== undefined) {
    const agreed = `connection: Upgrade\r\nupgrade: ${TAKEOVER_PROTOCOL}`;
    stream.write(`HTTP/1.1 101 Switching Protocols\r\n${agreed}\r\n\r\n`);
    commands.handOver(stream);
    return;
  }
  const body = JSON.stringify({ error: why ?? "this process hands nothing over" });
  const head = `HTTP/1.1 409 Conflict\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}`;
  stream.on("error", () => stream.destroy());
  stream.end(`${head}\r\n\r\n${body}`);
}

/** Frees the path at once. A hand-over goes on: its connection is no longer the server's. */
async function closeServer(server: Server): Promise<void> {
  server.close();
  server.closeAllConnections();
}

/**
 * Asks a running node to back its store up into a file.
 * @returns false when no node listens there.
 * @throws what the node says went wrong.
 */
export async function askForBackup(socketPath: string, path: string): Promise<boolean> {
  const body = JSON.stringify({ path });
  const answer = await post(socketPath, body).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ECONNREFUSED") return undefined;
    throw error;
  });
  if (answer === undefined) return false;
  if (answer.status !== 200) throw new Error((JSON.parse(answer.body) as { error: string }).error);
  return true;
}

function post(socketPath: string, body: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const sent = request({ socketPath, method: "POST", path: "/backup", headers }, (response) => {
      text(response).then((answer) => resolve({ status: response.statusCode ?? 0, body: answer }), reject);
    });
    sent.once("error", reject);
    sent.end(body);
  });
}
