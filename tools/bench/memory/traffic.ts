import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

import { LOAD_CORE, pinned } from "../processes.ts";

/** Where clients find the balancer. */
export interface Target {
  readonly address: string;
  readonly port: number;
  readonly tls: boolean;
}

/** What the process of clients and the backend is told. */
export type ToTraffic =
  | { readonly kind: "idle" | "slow"; readonly count: number; readonly target: Target }
  | { readonly kind: "upload"; readonly bytes: number; readonly target: Target };

/** What it tells. */
export type FromTraffic =
  | { readonly kind: "up"; readonly backendPort: number }
  /** Connections stand and move nothing any more. */
  | { readonly kind: "still"; readonly leastSentBytes: number }
  /** Bytes of an upload that the backend has received. */
  | { readonly kind: "received"; readonly bytes: number }
  | { readonly kind: "uploaded"; readonly seconds: number }
  | { readonly kind: "failed"; readonly reason: string };

type Of<K extends FromTraffic["kind"]> = Extract<FromTraffic, { readonly kind: K }>;

/** Clients of a balancer and its backend, in a process of their own. */
export class Traffic {
  readonly backendPort: number;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, { backendPort }: Of<"up">) {
    this.#process = process;
    this.backendPort = backendPort;
  }

  static async start(): Promise<Traffic> {
    const node = [process.execPath, "--conditions=@fiberlb/source", "--no-warnings"];
    const [execPath = "", ...execArgv] = pinned(LOAD_CORE, node);
    const child = fork(fileURLToPath(new URL("traffic-process.ts", import.meta.url)), [], { execPath, execArgv });
    return new Traffic(child, await next(child, "up"));
  }

  /** So many clients that have each had one answer and now ask nothing. */
  async idle(count: number, target: Target): Promise<void> {
    await this.#ask({ kind: "idle", count, target }, "still");
  }

  /**
   * So many clients that each upload 10 MiB to a backend that does not read. Resolves when nothing moves any more.
   * @returns what the client that could send the least has sent.
   */
  async slowUploads(count: number, target: Target): Promise<number> {
    return (await this.#ask({ kind: "slow", count, target }, "still")).leastSentBytes;
  }

  /**
   * One upload, which the backend reads.
   * @param onReceived called with what has come so far, every 256 MiB.
   * @returns how long it took.
   */
  async upload(bytes: number, target: Target, onReceived: (bytes: number) => void): Promise<number> {
    const hear = (message: unknown): void => {
      const told = message as FromTraffic;
      if (told.kind === "received") onReceived(told.bytes);
    };
    this.#process.on("message", hear);
    const { seconds } = await this.#ask({ kind: "upload", bytes, target }, "uploaded");
    this.#process.off("message", hear);
    return seconds;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#process.once("exit", () => resolve());
      this.#process.kill();
    });
  }

  #ask<K extends FromTraffic["kind"]>(question: ToTraffic, answer: K): Promise<Of<K>> {
    const answered = next(this.#process, answer);
    this.#process.send(question);
    return answered;
  }
}

function next<K extends FromTraffic["kind"]>(child: ChildProcess, kind: K): Promise<Of<K>> {
  return new Promise((resolve, reject) => {
    const settle = (): void => void child.off("message", take).off("exit", fail);
    const take = (message: unknown): void => {
      const told = message as FromTraffic;
      if (told.kind === kind) {
        settle();
        resolve(told as Of<K>);
      } else if (told.kind === "failed") fail(told.reason);
    };
    const fail = (reason: unknown): void => {
      settle();
      reject(new Error(`Cannot go on: the clients' process says ${String(reason)} while its "${kind}" was awaited`));
    };
    child.on("message", take).on("exit", fail);
  });
}
