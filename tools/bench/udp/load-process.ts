/**
 * Load for `udp.ts`: `node load-process.ts PORT SECONDS CLIENTS LOAD`, where LOAD is `flows` (each client asks and waits for
 * the answer, again and again, from one port) or `questions` (each question from a port of its own, as resolvers do).
 * Prints what came of it as JSON.
 */
import type { PeerSocket } from "../../../packages/server/src/data/transport/datagram.ts";
import { createNodeDatagrams } from "../../../packages/server/src/data/transport/node-datagrams.ts";

/** What a run of the load saw. */
export interface UdpLoadResult {
  /** Questions that were answered. */
  readonly answered: number;
  /** Questions without an answer in time. */
  readonly lost: number;
  readonly seconds: number;
}

const PAYLOAD = Buffer.alloc(100, "x");
const LOST_AFTER_MS = 500;
const LOOPBACK = "127.0.0.1";

const [port, seconds, clients, load] = process.argv.slice(2);
const transport = createNodeDatagrams();
const endsAtMs = performance.now() + Number(seconds) * 1000;
let answered = 0;
let lost = 0;

/** Asks one question after the other until the time is over. */
function runClient(onEnd: () => void): void {
  let socket: PeerSocket | undefined;
  let askedAtMs = 0;
  const ask = (): void => {
    if (performance.now() >= endsAtMs) {
      clearInterval(watch);
      socket?.close();
      return onEnd();
    }
    if (load === "questions") {
      socket?.close();
      socket = undefined;
    }
    socket ??= open();
    askedAtMs = performance.now();
    socket.send(PAYLOAD);
  };
  const open = (): PeerSocket => {
    const opened: PeerSocket = transport.connect(
      { address: LOOPBACK, port: Number(port) },
      {
        onDatagram: () => {
          if (opened !== socket) return;
          answered += 1;
          ask();
        },
        onUnreachable() {},
        onLoss() {},
      },
    );
    return opened;
  };
  const watch = setInterval(() => {
    if (performance.now() - askedAtMs < LOST_AFTER_MS) return;
    lost += 1;
    ask();
  }, LOST_AFTER_MS / 2);
  ask();
}

const runs = Array.from({ length: Number(clients) }, () => new Promise<void>((resolve) => runClient(resolve)));
await Promise.all(runs);
const result: UdpLoadResult = { answered, lost, seconds: Number(seconds) };
console.log(JSON.stringify(result));
