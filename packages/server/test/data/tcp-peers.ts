import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

/** A TCP server that says its name to whoever connects, then echoes; it counts who came. */
export interface NamedServer {
  readonly name: string;
  readonly port: number;
  readonly connections: number;
  close(): Promise<void>;
}

/** On any port of 127.0.0.1. */
export const startNamedServer = (name: string): Promise<NamedServer> => startNamedServerAt({}, name);

/** @param at default: any port of 127.0.0.1 */
export async function startNamedServerAt(
  at: { readonly host?: string; readonly port?: number },
  name: string,
): Promise<NamedServer> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
    socket.write(`${name}\n`);
    socket.pipe(socket);
  });
  await listen(server, at.port ?? 0, at.host);
  return {
    name,
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

export async function listen(server: Server, port: number, host = "127.0.0.1"): Promise<void> {
  server.listen({ port, host });
  await once(server, "listening");
}

/** A port of an address that was free a moment ago. */
export async function freePort(host: string): Promise<number> {
  const server = createServer();
  await listen(server, 0, host);
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** A client that has read the first line: who serves it. */
export interface Client {
  readonly server: string;
  readonly socket: Socket;
  /** Resolves when the connection is gone, with whether it was reset. */
  readonly ended: Promise<"closed" | "reset">;
  /** Sends text and resolves when it has come back. */
  echo(text: string): Promise<string>;
}

/**
 * @param localAddress where it calls from; default: what the system chooses
 * @throws Error when the connection is refused or reset before a line came.
 */
export async function openClient(port: number, host = "127.0.0.1", localAddress?: string): Promise<Client> {
  const socket = connect({ port, host, ...(localAddress !== undefined && { localAddress }) });
  socket.setEncoding("utf8");
  let received = "";
  let wake: () => void = () => undefined;
  let failure: Error | undefined;
  socket.on("data", (text: string) => {
    received += text;
    wake();
  });
  socket.on("error", (error) => (failure = error));
  const ended = new Promise<"closed" | "reset">((resolve) => {
    socket.on("close", () => {
      resolve(failure === undefined ? "closed" : "reset");
      wake();
    });
  });
  const until = async (enough: () => boolean): Promise<void> => {
    while (!enough()) {
      if (socket.destroyed) throw failure ?? new Error("closed before enough came");
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  await until(() => received.includes("\n"));
  const server = received.slice(0, received.indexOf("\n"));
  received = received.slice(server.length + 1);
  return {
    server,
    socket,
    ended,
    async echo(text) {
      socket.write(text);
      await until(() => received.length >= text.length);
      const answer = received.slice(0, text.length);
      received = received.slice(text.length);
      return answer;
    },
  };
}

/** Connects, learns who serves, and leaves; resolves when the connection is gone. */
export async function whoServes(port: number, host = "127.0.0.1", localAddress?: string): Promise<string> {
  const client = await openClient(port, host, localAddress);
  client.socket.end();
  await client.ended;
  return client.server;
}
