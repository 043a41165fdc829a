import { request } from "node:http";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";

import {
  Channel,
  type FromPredecessor,
  type FromSuccessor,
  type Inheritance,
  NO_INHERITANCE,
  TAKEOVER_PROTOCOL,
} from "./messages.ts";

/** A hand-over that is under way, as the process sees it that takes over. */
export interface Takeover {
  readonly inheritance: Inheritance;
  /**
   * Says that this process serves. Resolves when the other one has begun to end and its place at the control socket is
   * free, also when it ended by itself before.
   * @throws Error when it has not waited.
   */
  ready(): Promise<void>;
  /** Says why this process does not take over after all; it must have let go of store and ports. */
  fail(reason: string): void;
}

/** How {@link askToTakeOver} asks. */
export interface TakeoverOptions {
  /** The other process wants everything back at once: this one must end, whatever it is doing. */
  readonly onRevoked: (reason: string) => void;
}

/**
 * Asks the process at the control socket to let go of its store and ports, and waits until it has.
 * @returns undefined when no process listens there.
 * @throws Error with what the process says against it.
 */
export async function askToTakeOver(socketPath: string, options: TakeoverOptions): Promise<Takeover | undefined> {
  const stream = await connect(socketPath).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ECONNREFUSED") return undefined;
    throw error;
  });
  if (stream === undefined) return undefined;
  const channel = new Channel<FromPredecessor, FromSuccessor>(stream);
  const first = await channel.receive();
  if (first?.kind === "revoked") {
    channel.close();
    throw new Error(`Cannot take over: ${first.reason}`);
  }
  // It ended in the middle: what it had is free.
  const inheritance = first?.kind === "released" ? first.inheritance : NO_INHERITANCE;
  return follow(channel, inheritance, options);
}

function follow(
  channel: Channel<FromPredecessor, FromSuccessor>,
  inheritance: Inheritance,
  { onRevoked }: TakeoverOptions,
): Takeover {
  let isOver = false;
  const verdict = channel.receive().then((message) => {
    if (message?.kind !== "revoked") return undefined;
    if (!isOver) onRevoked(message.reason);
    return message.reason;
  });
  return {
    inheritance,
    async ready() {
      channel.send({ kind: "ready" });
      const reason = await verdict;
      isOver = true;
      if (reason !== undefined) throw new Error(`Cannot take over: ${reason}`);
      channel.close();
    },
    fail(reason) {
      isOver = true;
      channel.send({ kind: "failed", reason });
      channel.close();
    },
  };
}

function connect(socketPath: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const headers = { connection: "Upgrade", upgrade: TAKEOVER_PROTOCOL };
    const sent = request({ socketPath, method: "POST", path: "/takeover", headers });
    sent.once("error", reject);
    sent.once("upgrade", (_response, socket, head) => {
      // What came in one piece with the answer is the first of what is said.
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    sent.once("response", (response) => {
      const refuse = (body: string): void => reject(new Error(`Cannot take over: ${reasonIn(body)}`));
      text(response).then(refuse, reject);
    });
    sent.end();
  });
}

function reasonIn(body: string): string {
  try {
    const { error } = JSON.parse(body) as { error?: string };
    if (error !== undefined && !error.startsWith("known here")) return error;
  } catch {
    // Not from a node of this release.
  }
  return "the running process is of a release that hands nothing over; stop it, then start this one";
}
