import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";

/** A UDP server that answers every datagram with its name and what came; it remembers from which ports. */
export interface UdpServer {
  readonly name: string;
  readonly port: number;
  readonly datagrams: number;
  /** Ports that datagrams came from. */
  readonly sources: ReadonlySet<number>;
  close(): Promise<void>;
}

/** @param at default: any port of 127.0.0.1 */
export async function startUdpServer(
  name: string,
  at: { readonly host?: string; readonly port?: number } = {},
): Promise<UdpServer> {
  const { host = "127.0.0.1", port = 0 } = at;
  const socket = createSocket({ type: host.includes(":") ? "udp6" : "udp4", recvBufferSize: 4 << 20 });
  const sources = new Set<number>();
  let datagrams = 0;
  socket.on("message", (bytes, from) => {
    datagrams += 1;
    sources.add(from.port);
    socket.send(Buffer.concat([Buffer.from(`${name}:`), bytes]), from.port, from.address);
  });
  socket.bind(port, host);
  await once(socket, "listening");
  return {
    name,
    port: socket.address().port,
    sources,
    get datagrams() {
      return datagrams;
    },
    async close() {
      socket.close();
      await once(socket, "close");
    },
  };
}

/** A UDP client with a port of its own. */
export interface UdpClient {
  readonly socket: Socket;
  readonly port: number;
  /** Who answered last, by address and port. */
  readonly answeredBy: RemoteInfo | undefined;
  send(what: string | Uint8Array): void;
  /** The next answer, of those that were not taken yet. */
  next(): Promise<Buffer>;
  /** Sends, and sends again when there is no answer for a while, as UDP clients must. Answers who answered. */
  ask(what: string): Promise<string>;
  close(): void;
}

const ASK_AGAIN_MS = 250;

/** @param localAddress where it calls from; default: what the system chooses. */
export async function openUdpClient(host: string, port: number, localAddress?: string): Promise<UdpClient> {
  const socket = createSocket({ type: host.includes(":") ? "udp6" : "udp4", recvBufferSize: 4 << 20 });
  socket.bind(0, localAddress ?? (host.includes(":") ? "::" : "0.0.0.0"));
  await once(socket, "listening");
  const answers: Buffer[] = [];
  let answeredBy: RemoteInfo | undefined;
  let wake: () => void = () => undefined;
  socket.on("message", (bytes, from) => {
    answers.push(bytes);
    answeredBy = from;
    wake();
  });
  const next = async (): Promise<Buffer> => {
    while (answers.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return answers.shift() as Buffer;
  };
  const send = (what: string | Uint8Array): void => socket.send(what, port, host);
  return {
    socket,
    port: socket.address().port,
    get answeredBy() {
      return answeredBy;
    },
    send,
    next,
    async ask(what) {
      const again = setInterval(() => send(what), ASK_AGAIN_MS);
      send(what);
      try {
        let answer = await next();
        // Answers to what was sent again, and answered after all.
        while (!answer.toString().endsWith(`:${what}`)) answer = await next();
        return answer.toString().slice(0, answer.indexOf(":"));
      } finally {
        clearInterval(again);
      }
    },
    close: () => void socket.close(),
  };
}

/** Who serves a client that comes and goes. */
export async function whoAnswers(host: string, port: number, localAddress?: string): Promise<string> {
  const client = await openUdpClient(host, port, localAddress);
  try {
    return await client.ask("?");
  } finally {
    client.close();
  }
}
