import { Agent, type IncomingMessage, request } from "node:http";

import type { Seen } from "./web-server.ts";

/** Where a listener is. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

/** What a request is beside its path. */
export interface Ask {
  /** Default GET. */
  readonly method?: string;
  /** Default app.example. */
  readonly host?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Where it calls from, on a connection of its own. */
  readonly localAddress?: string;
}

/** A complete response. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

/** A client that keeps its connections. */
export class HttpClient {
  readonly #agent: Agent;

  /** @param connections at most so many at a time. */
  constructor(connections = 4) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** @throws Error of node:http when the connection breaks before the response is whole. */
  ask(target: Target, path: string, options: Ask = {}): Promise<Answer> {
    const { method = "GET", host = "app.example", headers = {}, body, localAddress } = options;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const own = localAddress === undefined ? { agent: this.#agent } : { agent: false as const, localAddress };
    const { host: address, port } = target;
    const outgoing = request({ host: address, port, path, method, headers: { Host: host, ...headers }, ...own });
    outgoing.on("response", (incoming) => void readAnswer(incoming).then(resolve, reject));
    outgoing.on("error", reject);
    outgoing.end(body);
    return promise;
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Reads a response to its end. */
export function readAnswer(incoming: IncomingMessage): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let text = "";
    incoming.setEncoding("utf8");
    incoming.on("data", (chunk: string) => (text += chunk));
    incoming.on("end", () => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text }));
    incoming.on("error", reject);
  });
}

/** What a backend was asked, told by the backend. */
export const seenBy = ({ text }: Answer): Seen => JSON.parse(text) as Seen;

/** Who answered; undefined when it was the listener itself. */
export const backendOf = ({ headers }: Answer): string | undefined => headers["x-backend"] as string | undefined;

/** The cookies that an answer sets, as a client sends them back; those it removes are left out. */
export function cookiesOf({ headers }: Answer): string {
  const set = headers["set-cookie"] ?? [];
  const kept = set.filter((line) => !/;\s*max-age=0/i.test(line));
  return kept.map((line) => line.split(";", 1)[0]).join("; ");
}
