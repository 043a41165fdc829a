// A client in a namespace of its own: asks each VIP every few milliseconds who answers, and tells when that has changed.
import { createSocket } from "node:dgram";

export interface L2ClientOptions {
  readonly vips: readonly string[];
  readonly port: number;
}

/** Another node answers than before. */
export interface OwnerSeen {
  readonly vip: string;
  readonly node: string;
  /** Since the last answer of the node before it; 0 for the first one. */
  readonly silentMs: number;
}

const INTERVAL_MS = 5;

const { vips, port } = JSON.parse(process.argv[2] as string) as L2ClientOptions;
for (const vip of vips) {
  const socket = createSocket(vip.includes(":") ? "udp6" : "udp4");
  let before: { node: string; atMs: number } | undefined;
  socket.on("message", (answer) => {
    const node = answer.toString();
    const atMs = performance.now();
    if (before?.node !== node) {
      const silentMs = before === undefined ? 0 : atMs - before.atMs;
      process.send?.({ vip, node, silentMs } satisfies OwnerSeen);
    }
    before = { node, atMs };
  });
  // Nobody has the address at times.
  socket.on("error", () => undefined);
  setInterval(() => socket.send("who", port, vip, () => undefined), INTERVAL_MS);
}
process.on("disconnect", () => process.exit(0));
process.send?.("ready");
