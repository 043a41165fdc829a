import { fileURLToPath } from "node:url";

import type { Host } from "../host.ts";
import { Peer } from "../peer.ts";
import { type Answer, type FromClient, type Manner, type Tally, type Target, type ToClient } from "./messages.ts";

const SCRIPT = fileURLToPath(new URL("client-process.ts", import.meta.url));

/** A client that tries again on a new connection, as browsers and HTTP libraries do. */
export const RETRYING: Manner = { timeoutMs: 1000, retries: 8, retryPauseMs: 100 };
/** A client that takes the first answer. */
export const ONCE: Manner = { timeoutMs: 2000, retries: 0, retryPauseMs: 0 };

/** Requests at a steady rate. */
export interface Load {
  /** What became of the requests so far. */
  peek(): Promise<Tally>;
  /** Sends no more, waits for those under way, and tells what became of all. */
  stop(): Promise<Tally>;
}

/** A machine that asks the load balancers. */
export class TrafficClient {
  readonly #peer: Peer<ToClient, FromClient>;
  #loads = 0;

  private constructor(peer: Peer<ToClient, FromClient>) {
    this.#peer = peer;
  }

  static async start(host: Host): Promise<TrafficClient> {
    return new TrafficClient(await Peer.of(`the client on ${host.name}`, host.fork(SCRIPT, [])));
  }

  /** Sends so many requests, one after the other, each on a new connection. */
  async ask(target: Target, count: number, manner = ONCE): Promise<Tally> {
    return (await this.#ask({ kind: "ask", target, count, manner })).tally;
  }

  /** One request from each of these ports: the same flows again and again. */
  async askFrom(target: Target, localPorts: readonly number[]): Promise<readonly (Answer | string)[]> {
    return (await this.#ask({ kind: "ask", target, count: localPorts.length, manner: ONCE, localPorts })).answers ?? [];
  }

  /** Sends so many requests a second until it is stopped. */
  async load(target: Target, perSecond: number, manner = RETRYING): Promise<Load> {
    const load = ++this.#loads;
    await this.#ask({ kind: "start", load, target, perSecond, manner });
    return {
      peek: async () => (await this.#ask({ kind: "peek", load })).tally,
      stop: async () => (await this.#ask({ kind: "stop", load })).tally,
    };
  }

  /** Asks again and again until that server answers. @returns when it did, since 1970 */
  async untilAnsweredBy(target: Target, server: string): Promise<number> {
    const reply = await this.#send({ kind: "await", target, server });
    if (!("atMs" in reply)) throw new Error("no time in the answer");
    return reply.atMs;
  }

  close(): Promise<void> {
    return this.#peer.close();
  }

  async #ask(message: ToClient) {
    const reply = await this.#send(message);
    if (!("tally" in reply)) throw new Error("no tally in the answer");
    return reply;
  }

  async #send(message: ToClient) {
    const reply = await this.#peer.ask(message);
    if ("error" in reply) throw new Error(reply.error);
    return reply;
  }
}
