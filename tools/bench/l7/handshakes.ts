/**
 * Load of TLS 1.3 handshakes: `node handshakes.ts URL SECONDS full|resumed` prints {@link HandshakeFigures}. Each
 * connection makes a handshake, asks once and ends.
 */
import tls from "node:tls";

import { quantile } from "../load.ts";

/** What was seen. */
export interface HandshakeFigures {
  readonly kind: "full" | "resumed";
  readonly requests: number;
  /** Handshakes that were not of that kind; the first of each lane, which has nothing to resume, does not count. */
  readonly others: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const LANES = 16;
/** The same key exchange with all servers: some would agree on a costlier one with this client. */
const CURVE = "X25519";

const [address = "", secondsText, kindText] = process.argv.slice(2);
const kind = kindText === "resumed" ? "resumed" : "full";
const url = new URL(address);
const until = performance.now() + Number(secondsText) * 1000;
const durationsMs: number[] = [];
let others = 0;

async function lane(): Promise<void> {
  let session: Buffer | undefined;
  while (performance.now() < until) session = await connection(kind === "resumed" ? session : undefined);
}

function connection(session: Buffer | undefined): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    let received = "";
    let next = session;
    const startMs = performance.now();
    const socket = tls.connect({
      host: url.hostname,
      port: Number(url.port),
      servername: "bench.example",
      rejectUnauthorized: false,
      minVersion: "TLSv1.3",
      ecdhCurve: CURVE,
      ...(session === undefined ? {} : { session }),
    });
    socket.setNoDelay(true);
    socket.on("session", (ticket) => (next = ticket));
    socket.on("secureConnect", () => {
      if (socket.isSessionReused() !== (session !== undefined)) others += 1;
      socket.write(`GET ${url.pathname} HTTP/1.1\r\nHost: bench.example\r\nConnection: close\r\n\r\n`);
    });
    socket.on("data", (bytes) => (received += bytes.toString("latin1")));
    socket.on("error", reject);
    socket.on("close", () => {
      if (!received.startsWith("HTTP/1.1 200")) return reject(new Error(`Cannot go on: answered\n${received}`));
      durationsMs.push(performance.now() - startMs);
      resolve(next);
    });
  });
}

await Promise.all(Array.from({ length: LANES }, lane));
const [p50Ms, p99Ms] = [0.5, 0.99].map((fraction) => quantile(durationsMs, fraction)) as [number, number];
const figures: HandshakeFigures = { kind, requests: durationsMs.length, others, p50Ms, p99Ms };
console.log(JSON.stringify(figures));
