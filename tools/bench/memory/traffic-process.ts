/** Clients of a balancer and its backend, for {@link Traffic}. */
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import tls from "node:tls";

import { inParallel } from "../load.ts";
import { startBackend } from "./backend.ts";
import type { FromTraffic, Target, ToTraffic } from "./traffic.ts";

const AT_ONCE = 64;
/** Clients come from several addresses, so that ports do not run out. */
const SOURCES = 8;
const SLOW_BODY_BYTES = 10 * 2 ** 20;
const PIECE = Buffer.alloc(65_536, 0x61);
const STILL_MS = 500;

const tell = (message: FromTraffic): void => void process.send?.(message);
const crowd: net.Socket[] = [];
const backend = await startBackend((bytes) => tell({ kind: "received", bytes }));

function open({ address: host, port, tls: isTls }: Target, index: number): Promise<net.Socket> {
  const localAddress = `127.0.1.${1 + (index % SOURCES)}`;
  return new Promise((resolve, reject) => {
    const options = { host, port, localAddress };
    const tlsOptions = { ...options, servername: "bench.example", rejectUnauthorized: false };
    const socket = isTls ? tls.connect(tlsOptions) : net.connect(options);
    socket.once("error", reject).once(isTls ? "secureConnect" : "connect", () => resolve(socket));
    socket.on("close", () => tell({ kind: "failed", reason: `a connection to ${host}:${port} was closed` }));
    crowd.push(socket);
  });
}

const head = (method: string, path: string, bytes?: number): string =>
  `${method} ${path} HTTP/1.1\r\nHost: bench.example\r\n${bytes === undefined ? "" : `Content-Length: ${bytes}\r\n`}\r\n`;

function answerOf(socket: net.Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("data", (bytes) => {
      const answer = bytes.toString("latin1");
      if (answer.startsWith("HTTP/1.1 200")) resolve();
      else reject(new Error(`was answered ${answer.slice(0, 200)}`));
    });
  });
}

async function idle(count: number, target: Target): Promise<FromTraffic> {
  await inParallel({ count, clients: AT_ONCE }, async (index) => {
    const socket = await open(target, index);
    socket.write(head("GET", "/"));
    await answerOf(socket);
  });
  return { kind: "still", leastSentBytes: 0 };
}

async function slow(count: number, target: Target): Promise<FromTraffic> {
  await inParallel({ count, clients: AT_ONCE }, async (index) => {
    const socket = await open(target, index);
    socket.write(head("POST", "/deaf", SLOW_BODY_BYTES));
    let left = SLOW_BODY_BYTES;
    const send = (): void => {
      while (left > 0 && socket.write(PIECE)) left -= PIECE.length;
    };
    socket.on("drain", send);
    send();
  });
  const sent = (): number[] => crowd.map((socket) => socket.bytesWritten - socket.writableLength);
  for (let before = ""; before !== String(sent()); await sleep(STILL_MS)) before = String(sent());
  return { kind: "still", leastSentBytes: Math.min(...sent()) };
}

async function upload(bytes: number, target: Target): Promise<FromTraffic> {
  const socket = await open(target, 0);
  const startMs = performance.now();
  socket.write(head("POST", "/sink", bytes));
  let left = bytes;
  const send = (): void => {
    while (left > 0) {
      left -= PIECE.length;
      if (!socket.write(PIECE)) break;
    }
  };
  socket.on("drain", send);
  send();
  await answerOf(socket);
  return { kind: "uploaded", seconds: (performance.now() - startMs) / 1000 };
}

function obey(order: ToTraffic): Promise<FromTraffic> {
  if (order.kind === "upload") return upload(order.bytes, order.target);
  return order.kind === "idle" ? idle(order.count, order.target) : slow(order.count, order.target);
}

process.on("message", (order: ToTraffic) => {
  obey(order).then(tell, (error: unknown) => tell({ kind: "failed", reason: String(error) }));
});
process.on("disconnect", () => process.exit(1));
tell({ kind: "up", backendPort: backend.port });
