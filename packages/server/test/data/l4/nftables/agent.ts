// Runs inside a network namespace of a test and does what its parent asks over IPC: serves, connects, sends datagrams.
import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import { createServer as createHttpServer } from "node:http";
import { connect, createServer, type Socket } from "node:net";

import type { AgentCall, EchoResult, FlowResult } from "./agent-protocol.ts";

const held: { readonly socket: Socket; readonly backend: string }[] = [];

/** Answers each connection or datagram with one line: our name or address, the client's as we see it. */
async function serve({ addresses, port, name }: Extract<AgentCall, { kind: "serve" }>): Promise<void> {
  for (const address of addresses) {
    const tcp = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.write(`${name ?? address} ${socket.remoteAddress}\n`);
      socket.on("data", (line) => socket.write(line));
    });
    await new Promise<void>((resolve) => tcp.listen(port, address, resolve));
    const udp = createSocket(address.includes(":") ? "udp6" : "udp4");
    udp.on("message", (_message, { address: client, port: to }) =>
      udp.send(`${name ?? address} ${client}\n`, to, client),
    );
    await new Promise<void>((resolve) => udp.bind(port, address, resolve));
  }
}

/** Answers each request with one line: our address, the client's as we see it. */
async function serveHttp({ addresses, port }: Extract<AgentCall, { kind: "serve-http" }>): Promise<void> {
  for (const address of addresses) {
    const server = createHttpServer(({ socket }, response) => response.end(`${address} ${socket.remoteAddress}`));
    await new Promise<void>((resolve) => server.listen(port, address, resolve));
  }
}

interface Flow {
  readonly from?: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly hold?: boolean | undefined;
  /** Default: any. */
  readonly fromPort?: number | undefined;
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
      held.push({ socket, backend });
    });
  });
}

function openUdp({ from, fromPort = 0, host, port }: Flow): Promise<FlowResult> {
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
    socket.bind(fromPort, from, () => socket.connect(port, host, () => socket.send("?")));
  });
}

/** Sends a line through each connection that is held, and says what came of it. */
function echoHeld(): Promise<EchoResult[]> {
  return Promise.all(held.map(async ({ socket, backend }) => ({ backend, outcome: await echo(socket) })));
}

/** Ends all connections that are held. */
function dropHeld(): void {
  for (const { socket } of held.splice(0)) socket.destroy();
}

function echo(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    if (socket.destroyed) {
      resolve("gone");
      return;
    }
    const end = (outcome: string): void => {
      socket.off("data", onData).off("error", onError).off("close", onClose);
      resolve(outcome);
    };
    const onData = (): void => end("ok");
    const onError = ({ code }: NodeJS.ErrnoException): void => end(code ?? "");
    const onClose = (): void => end("closed");
    socket.on("data", onData).on("error", onError).on("close", onClose);
    socket.write("still there?\n");
  });
}

/** Sends that many bytes and compares what comes back. */
function transfer({ host, port, bytes }: Extract<AgentCall, { kind: "transfer" }>): Promise<EchoResult> {
  const [sent, received] = [createHash("sha256"), createHash("sha256")];
  const chunk = Buffer.alloc(65_536);
  let [backend, toSend, toReceive, round] = ["", bytes, bytes, 0];
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const send = (): void => {
      while (toSend > 0) {
        const part = chunk.subarray(0, Math.min(toSend, chunk.length)).fill(`${round++}.`);
        sent.update(part);
        toSend -= part.length;
        if (!socket.write(Buffer.from(part))) return;
      }
    };
    socket.on("drain", send);
    socket.on("error", ({ code }: NodeJS.ErrnoException) => resolve({ backend, outcome: code ?? "" }));
    socket.on("close", () => resolve({ backend, outcome: "closed" }));
    socket.on("data", (data) => {
      if (backend === "") {
        backend = data.toString().split(" ", 1)[0] ?? "";
        send();
        return;
      }
      received.update(data);
      toReceive -= data.length;
      if (toReceive > 0) return;
      const isEqual = toReceive === 0 && sent.digest("hex") === received.digest("hex");
      resolve({ backend, outcome: isEqual ? "ok" : "other bytes" });
      socket.destroy();
    });
  });
}

async function open({
  transport,
  count,
  firstPort,
  ...flow
}: Extract<AgentCall, { kind: "open" }>): Promise<FlowResult[]> {
  const results: FlowResult[] = [];
  const next = async (): Promise<void> => {
    while (results.length < count) {
      const place = results.push({ source: { address: "", port: 0 } }) - 1;
      const fromPort = firstPort === undefined ? undefined : firstPort + place;
      results[place] = await (transport === "tcp" ? openTcp(flow) : openUdp({ ...flow, fromPort }));
    }
  };
  await Promise.all(Array.from({ length: 32 }, next));
  return results;
}

process.on("message", (call: AgentCall & { id: number }) => {
  const work = async (): Promise<unknown> => {
    switch (call.kind) {
      case "serve":
        return serve(call);
      case "serve-http":
        return serveHttp(call);
      case "open":
        return open(call);
      case "echo-held":
        return echoHeld();
      case "drop-held":
        return dropHeld();
      case "transfer":
        return transfer(call);
    }
  };
  work().then(
    (answer) => process.send?.({ id: call.id, answer }),
    (error: unknown) => process.send?.({ id: call.id, error: String(error) }),
  );
});
process.send?.({ id: 0 });
