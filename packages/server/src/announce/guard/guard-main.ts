/**
 * The guard: a small process of its own that outlives the node's. It reads what is announced from standard input, and
 * withdraws it when that ends without a goodbye.
 */
import type { Server } from "node:net";
import { setPriority } from "node:os";
import { createInterface } from "node:readline";

import { createSpeaker } from "@fiberlb/bgp-speaker";

import { systemClock } from "../../clock.ts";
import { createLog } from "../../log.ts";
import { GuardDuty } from "./duty.ts";
import type { GuardOrders, ToGuard } from "./messages.ts";
import { openGuardSocket } from "./relief.ts";

/** Of nice(2): -20 to 19. */
const PREFERRED = -10;

process.title = "fiberlb-guard";
// A service manager tells all processes of a service to end; this one ends after the one that it watches.
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => undefined);

const log = createLog({
  level: "info",
  format: "json",
  // Whoever read it may be gone as well.
  write: (line) => void process.stderr.write(`${line}\n`, () => undefined),
});
for (const stream of [process.stderr, process.stdout]) stream.on("error", () => undefined);

try {
  // It sleeps until it counts, and then every moment does. Only root may have itself preferred.
  setPriority(PREFERRED);
} catch {
  // Then it is one among others.
}

const duty = new GuardDuty({
  onReady: () => void process.stdout.write("ready\n"),
  clock: systemClock,
  log,
  createSpeaker: ({ gobgp, tls }) =>
    createSpeaker({
      gobgp,
      ...(tls !== undefined && { tls }),
      clock: { now: () => systemClock.nowMs(), after: (delayMs, callback) => systemClock.after(delayMs, callback) },
    }),
});

let server: Server | undefined;

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const message = JSON.parse(line) as ToGuard;
  duty.hear(message);
  if (message.kind === "orders") void open(message);
});
lines.on("close", () => duty.orphaned());
process.stdin.on("error", () => duty.orphaned());

await duty.over;
server?.close();
// Connections of whoever relieves are ended by then, or they end with this.
process.exit(0);

async function open({ socketPath: path, ...orders }: GuardOrders): Promise<void> {
  if (path === undefined) return;
  try {
    server = await openGuardSocket(path, () => duty.relieve());
  } catch (error) {
    log.warn("the guard's socket cannot be opened", { path, error });
    // Then nobody could make it leave.
    duty.hear(orders);
  }
}
