// Runs inside a network namespace of a test and does what its parent asks over IPC: serves, connects, sends datagrams.
import { createSocket } from "node:dgram";
import { connect, createServer, type Socket } from "node:net";

import type { AgentCall, FlowResult } from "./agent-protocol.ts";

const held: Socket[] = [];

/** Answers each connection or datagram with one line: our address, the client's as we see it. */
async function serve(addresses: readonly string[], port: number): Promise<void> {
  for (const address of addresses) {
    const tcp = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.write(`${address} ${socket.remoteAddress}\n`);
      socket.on("data", (line) => socket.write(line));
    });
    await new Promise<void>((resolve) => tcp.listen(port, address, resolve));
    const udp = createSocket(address.includes(":") ? "udp6" : "udp4");
    udp.on("message", (_message, { address: client, port: to }) => udp.send(`${address} ${client}\n`, to, client));
    await new Promise<void>((resolve) => udp.bind(port, address, resolve));
  }
}

interface Flow {
  readonly from?: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly hold?: boolean | undefined;
}

function openTcp({ from, host, port, hold = false }: Flow): Promise<FlowResult> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, ...(from !== undefined && { localAddress: from }) });
    let source = { address: "", port: 0 };
    socket.once("connect", () => (source = { address: socket.localAddress!, port: socket.localPort! }));
    socket.once("error", ({ code }: NodeJS.ErrnoException) => resolve({ source, error: code ?? "" }));
    socket.once("data", (line) => {
      const [backend = "", seen = ""] = line.toString().trim().split(" ");
      resolve({ source, backend, seen });
      if (!hold) return void socket.destroy();
      socket.on("error", () => undefined);
      held.push(socket);
    });
  });
}

function openUdp({ from, host, port }: Flow): Promise<FlowResult> {
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    const end = (result: Omit<FlowResult, "source">): void => {
      const { address, port: local } = socket.address();
      resolve({ source: { address, port: local }, ...result });
      socket.close();
    };
    socket.once("error", ({ code }: NodeJS.ErrnoException) => end({ error: code ?? "" }));
    socket.once("message", (line) => {
      const [backend = "", seen = ""] = line.toString().trim().split(" ");
      end({ backend, seen });
    });
    socket.bind(0, from, () => socket.connect(port, host, () => socket.send("?")));
  });
}

/** Sends a line through each connection that is held and says what came of it: `ok` or an error's code. */
function echoHeld(): Promise<string[]> {
  return Promise.all(
    held.map(
      (socket) =>
        new Promise<string>((resolve) => {
          if (socket.destroyed) return resolve("gone");
          socket.once("data", () => resolve("ok"));
          socket.once("error", ({ code }: NodeJS.ErrnoException) => resolve(code ?? ""));
          socket.once("close", () => resolve("closed"));
          socket.write("still there?\n");
        }),
    ),
  );
}

async function open({ transport, count, ...flow }: Extract<AgentCall, { kind: "open" }>): Promise<FlowResult[]> {
  const results: FlowResult[] = [];
  const next = async (): Promise<void> => {
    while (results.length < count) {
      const place = results.push({ source: { address: "", port: 0 } }) - 1;
      results[place] = await (transport === "tcp" ? openTcp(flow) : openUdp(flow));
    }
  };
  await Promise.all(Array.from({ length: 32 }, next));
  return results;
}

process.on("message", (call: AgentCall & { id: number }) => {
  const work = async (): Promise<unknown> => {
    switch (call.kind) {
      case "serve":
        return serve(call.addresses, call.port);
      case "open":
        return open(call);
      case "echo-held":
        return echoHeld();
    }
  };
  work().then(
    (answer) => process.send?.({ id: call.id, answer }),
    (error: unknown) => process.send?.({ id: call.id, error: String(error) }),
  );
});
process.send?.({ id: 0 });
