/**
 * Clients and backends for `verdicts.ts`, a process each: `node probe.ts send`, told by messages which flows to open, one
 * datagram each; `node probe.ts receive`, which remembers when each backend got its last one.
 */
import dgram from "node:dgram";

import { BACKENDS, backendAddress, MEASURED } from "./units.ts";

/** Which flows to open: one a millisecond, each from a port of its own. */
export interface SendCall {
  readonly ports: readonly number[];
}

/** When each backend got its last datagram, by address: of `process.hrtime`, in nanoseconds. */
export type Received = Readonly<Record<string, string>>;

async function send({ ports }: SendCall): Promise<void> {
  const start = process.hrtime.bigint();
  const opened: dgram.Socket[] = [];
  for (const [index, port] of ports.entries()) {
    const due = start + BigInt(index) * 1_000_000n;
    while (process.hrtime.bigint() < due) await new Promise(setImmediate);
    const socket = dgram.createSocket("udp4");
    opened.push(socket);
    socket.bind(port, () => socket.send("?", MEASURED.port, MEASURED.vip));
    // A port of a backend that is out may be refused.
    socket.on("error", () => undefined);
  }
  for (const socket of opened) socket.close();
}

function receive(): Promise<unknown> {
  const last: Record<string, string> = {};
  process.on("message", () => process.send?.(last satisfies Received));
  const bound = Array.from({ length: BACKENDS }, (_, index) => {
    const address = backendAddress(index);
    const socket = dgram.createSocket("udp4");
    socket.on("message", () => void (last[address] = String(process.hrtime.bigint())));
    return new Promise<void>((resolve) => socket.bind(MEASURED.backendPort, address, resolve));
  });
  return Promise.all(bound);
}

if (process.argv[2] === "receive") await receive();
else process.on("message", (call: SendCall) => void send(call).then(() => process.send?.("sent")));
process.send?.("ready");
