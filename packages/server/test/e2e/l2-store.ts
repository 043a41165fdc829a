// A store that processes share over a unix socket, which all network namespaces see. The test holds the one end, and can
// make it fall silent; nodes under test hold the other.
import { rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";

import {
  createMemoryStore,
  isStoreError,
  type Store,
  StoreError,
  type StoreErrorCode,
  type WatchBatch,
} from "@fiberlb/store";

type Method = "get" | "range" | "txn" | "grantLease" | "keepAlive" | "revokeLease" | "status";

type Call =
  | { readonly id: number; readonly method: Method; readonly args: readonly unknown[] }
  | { readonly id: number; readonly method: "watch"; readonly args: readonly [object] };
type Answer = {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: { code: StoreErrorCode; message: string };
};

const encode = (value: unknown): string =>
  `${JSON.stringify(value, (_key, one: unknown) => (one instanceof Uint8Array ? { $bytes: Buffer.from(one).toString("base64") } : one))}\n`;

const decode = (line: string): unknown =>
  JSON.parse(line, (_key, one: unknown) => {
    const bytes = (one as { $bytes?: string } | null)?.$bytes;
    return bytes === undefined ? one : new Uint8Array(Buffer.from(bytes, "base64"));
  });

/** A store that a test can make fall silent. */
export interface TestStore {
  /** How nodes reach it. */
  readonly address: { readonly socket: string } | { readonly etcd: string };
  open(): Promise<void>;
  /** From now on no call is carried out; nobody is told. */
  silence(): void;
  /** Carries out what waits, and all that follows. */
  speak(): void;
  close(): Promise<void>;
}

/** The test's end. */
export class SharedStore implements TestStore {
  readonly address: { readonly socket: string };
  readonly #store: Store = createMemoryStore();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** While set, nothing is read or answered. */
  #silent: PromiseWithResolvers<void> | undefined;

  constructor(path: string) {
    this.address = { socket: path };
    this.#server = createServer((socket) => this.#serve(socket));
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.address.socket, resolve));
  }

  silence(): void {
    this.#silent ??= Promise.withResolvers();
  }

  speak(): void {
    this.#silent?.resolve();
    this.#silent = undefined;
  }

  async close(): Promise<void> {
    this.speak();
    for (const socket of this.#sockets) socket.destroy();
    await this.#store.close();
    await new Promise((resolve) => this.#server.close(resolve));
    rmSync(this.address.socket, { force: true });
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    const gone = new AbortController();
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#sockets.delete(socket);
      gone.abort();
    });
    const answer = async (message: Answer): Promise<void> => {
      await this.#silent?.promise;
      if (!socket.destroyed) socket.write(encode(message));
    };
    const lines = createInterface({ input: socket });
    lines.on("error", () => undefined);
    lines.on("line", (line) => void this.#perform(decode(line) as Call, answer, gone.signal));
  }

  async #perform(call: Call, answer: (message: Answer) => Promise<void>, signal: AbortSignal): Promise<void> {
    const { id } = call;
    await this.#silent?.promise;
    try {
      if (call.method === "watch") {
        for await (const value of this.#store.watch({ ...(call.args[0] as { start: string; end: string }), signal }))
          await answer({ id, value });
        return;
      }
      const method = this.#store[call.method] as (...args: unknown[]) => Promise<unknown>;
      await answer({ id, value: await method.apply(this.#store, [...call.args]) });
    } catch (error) {
      const code = isStoreError(error) ? error.code : "UNAVAILABLE";
      await answer({ id, error: { code, message: (error as Error).message } });
    }
  }
}

/** A node's end. Calls that are not answered in time fail, as those to etcd do. */
export function connectStore(path: string, timeoutMs = 1500): Store {
  const socket = connect(path);
  const waiting = new Map<number, (answer: Answer) => void>();
  let last = 0;
  createInterface({ input: socket }).on("line", (line) => {
    const answer = decode(line) as Answer;
    waiting.get(answer.id)?.(answer);
  });
  const call = (method: Method, args: readonly unknown[]): Promise<never> =>
    new Promise((resolve, reject) => {
      const id = (last += 1);
      const end = ({ value, error }: Answer): void => {
        clearTimeout(timer);
        waiting.delete(id);
        if (error === undefined) resolve(value as never);
        else reject(new StoreError(error.code, error.message));
      };
      const timer = setTimeout(() => end({ id, error: { code: "UNAVAILABLE", message: "no answer" } }), timeoutMs);
      waiting.set(id, end);
      socket.write(encode({ id, method, args }));
    });
  return {
    get: (...args) => call("get", args),
    range: (...args) => call("range", args),
    txn: (...args) => call("txn", args),
    grantLease: (...args) => call("grantLease", args),
    keepAlive: (...args) => call("keepAlive", args),
    revokeLease: (...args) => call("revokeLease", args),
    status: (...args) => call("status", args),
    leaseTimeToLive: () => Promise.reject(new Error("not here")),
    compact: () => Promise.reject(new Error("not here")),
    close: () => Promise.resolve(),
    async *watch({ signal, ...options }) {
      const id = (last += 1);
      const batches: WatchBatch[] = [];
      let wake = (): void => undefined;
      waiting.set(id, ({ value }) => {
        batches.push(value as WatchBatch);
        wake();
      });
      const isOver = (): boolean => signal?.aborted === true;
      signal?.addEventListener("abort", () => wake());
      socket.write(encode({ id, method: "watch", args: [options] }));
      while (!isOver()) {
        for (const batch of batches.splice(0)) yield batch;
        if (batches.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
}
