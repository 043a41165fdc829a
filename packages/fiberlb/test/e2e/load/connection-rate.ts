// Opens connections at a steady rate until SIGTERM: each sends a line, wants it back and closes. argv: host, port,
// connections a second. Prints what became of them as JSON.
import { connect } from "node:net";

const [host = "", port = "", perSecond = ""] = process.argv.slice(2);
const TICK_MS = 10;
const LINE = "is anybody there?\n";

/** What became of the connections. */
export interface RateReport {
  readonly succeeded: number;
  /** How many failed, by reason. */
  readonly failed: Readonly<Record<string, number>>;
}

let succeeded = 0;
const failed: Record<string, number> = {};
const running = new Set<Promise<void>>();

function exchange(): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port) });
    let received = "";
    let problem: string | undefined;
    socket.setTimeout(20_000, () => socket.destroy(Object.assign(new Error(), { code: "no answer" })));
    socket.on("connect", () => socket.end(LINE));
    socket.on("data", (bytes) => (received += bytes.toString()));
    socket.on("error", (error: NodeJS.ErrnoException) => (problem = error.code ?? error.message));
    socket.on("close", () => {
      problem ??= received === LINE ? undefined : `${received.length} bytes came back`;
      if (problem === undefined) succeeded++;
      else failed[problem] = (failed[problem] ?? 0) + 1;
      resolve();
    });
  });
}

const timer = setInterval(() => {
  for (let count = 0; count < (Number(perSecond) * TICK_MS) / 1000; count++) {
    const one = exchange().finally(() => running.delete(one));
    running.add(one);
  }
}, TICK_MS);
process.once("SIGTERM", () => {
  clearInterval(timer);
  void Promise.all(running).then(() => console.log(JSON.stringify({ succeeded, failed } satisfies RateReport)));
});
console.log("started");
