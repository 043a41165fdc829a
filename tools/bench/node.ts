import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { pinned } from "./processes.ts";
import type { CpuProfile } from "./worker-threads.ts";

/** Which configuration a node of a benchmark gets. */
export interface NodeSettings {
  /** Dotted path of a configuration key → value. */
  readonly flags: Readonly<Record<string, unknown>>;
}

/** How a node does. */
export interface Vitals {
  /** After a garbage collection. */
  readonly rssBytes: number;
  /** For how long its main thread could not turn to anything else, since the last time it was asked. */
  readonly stalls: { readonly p99Ms: number; readonly maxMs: number; readonly samples: number };
}

/** What a node's memory consists of, after a garbage collection in every thread. */
export interface NodeMemory {
  readonly rssBytes: number;
  /** Of all threads together. */
  readonly heapBytes: number;
  /** Of all threads together: memory outside the heaps that their objects hold, buffers above all. */
  readonly externalBytes: number;
}

/** What a node's process is told. */
export type ToNode = { readonly kind: "vitals" | "memory" | "cpu" | "start-profile" | "stop-profile" | "stop" };

/** What a node's process tells. Times are of CLOCK_MONOTONIC. */
export type FromNode =
  | { readonly kind: "up"; readonly apiUrl: string; readonly tookMs: number }
  | { readonly kind: "applied"; readonly revision: number; readonly atMs: number }
  | { readonly kind: "cpu"; readonly cpuMs: number }
  | { readonly kind: "memory"; readonly memory: NodeMemory }
  | { readonly kind: "profiling" }
  | { readonly kind: "profile"; readonly profiles: readonly CpuProfile[] }
  | { readonly kind: "vitals"; readonly vitals: Vitals };

type Of<K extends FromNode["kind"]> = Extract<FromNode, { readonly kind: K }>;

/** VIPs that no other FiberLB on this machine is likely to have. */
const VIP_POOLS = [{ name: "default", cidrs: ["127.77.0.0/16"], autoAssign: true }];

const NODE_FLAGS = ["--conditions=@fiberlb/source", "--disable-warning=ExperimentalWarning", "--expose-gc"];

/** What a node of a benchmark can be. */
export interface BenchNodeOptions {
  /** `memory`, or the path of a SQLite file. */
  readonly store: "memory" | { readonly sqlite: string };
  /** Dotted path of a configuration key → value, over what nodes of a benchmark have. Default none. */
  readonly flags?: NodeSettings["flags"];
  /** The core that it runs on. Default: any. */
  readonly core?: number;
}

/** A FiberLB node in a process of its own. */
export class BenchNode {
  readonly apiUrl: string;
  /** From the call of `startServer` until it answered. */
  readonly startMs: number;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, { apiUrl, tookMs }: Of<"up">) {
    this.#process = process;
    this.apiUrl = apiUrl;
    this.startMs = tookMs;
  }

  static async start({ store, flags = {}, core }: BenchNodeOptions): Promise<BenchNode> {
    const settings: NodeSettings = {
      flags: {
        "api.listen": "127.0.0.1:0",
        "admin.listen": "127.0.0.1:0",
        "shutdown.drainTimeoutMs": 0,
        vipPools: VIP_POOLS,
        ...(store === "memory" ? { "store.kind": "memory" } : { "store.kind": "sqlite", "store.path": store.sqlite }),
        ...flags,
      },
    };
    const node = [process.execPath, ...NODE_FLAGS];
    const [execPath = "", ...execArgv] = core === undefined ? node : pinned(core, node);
    const entry = fileURLToPath(new URL("node-process.ts", import.meta.url));
    const child = fork(entry, [JSON.stringify(settings)], { execPath, execArgv });
    return new BenchNode(child, await next(child, "up"));
  }

  /** Of the operating system. */
  get pid(): number {
    return this.#process.pid as number;
  }

  async vitals(): Promise<Vitals> {
    return (await this.#ask("vitals", "vitals")).vitals;
  }

  /** Collects garbage in every thread and tells what is left. */
  async memory(): Promise<NodeMemory> {
    return (await this.#ask("memory", "memory")).memory;
  }

  /** Begins to sample what its worker threads do. */
  async startProfile(): Promise<void> {
    await this.#ask("start-profile", "profiling");
  }

  /** Ends that; what each worker thread did since. */
  async stopProfile(): Promise<readonly CpuProfile[]> {
    return (await this.#ask("stop-profile", "profile")).profiles;
  }

  /** CPU time of all its threads since its start, user and system. */
  async cpuMs(): Promise<number> {
    return (await this.#ask("cpu", "cpu")).cpuMs;
  }

  /** The next configuration that all its workers have applied. */
  applied(): Promise<Of<"applied">> {
    return next(this.#process, "applied");
  }

  async stop(): Promise<void> {
    const exited = once(this.#process, "exit");
    this.#tell({ kind: "stop" });
    await exited;
  }

  #ask<K extends FromNode["kind"]>(question: ToNode["kind"], answer: K): Promise<Of<K>> {
    const answered = next(this.#process, answer);
    this.#tell({ kind: question });
    return answered;
  }

  #tell(message: ToNode): void {
    this.#process.send(message);
  }
}

/** Longer than any of it should take. */
const DEADLINE_MS = 60_000;

/** Now, on the clock of {@link FromNode}. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;

function next<K extends FromNode["kind"]>(child: ChildProcess, kind: K): Promise<Of<K>> {
  return new Promise((resolve, reject) => {
    const deadline = setTimeout(() => {
      settle();
      reject(new Error(`Cannot go on: the node's process has not told its ${kind} for ${DEADLINE_MS / 1000} s`));
    }, DEADLINE_MS);
    const settle = (): void => {
      clearTimeout(deadline);
      child.off("message", take);
      child.off("exit", fail);
    };
    const take = (message: unknown): void => {
      if ((message as FromNode).kind !== kind) return;
      settle();
      resolve(message as Of<K>);
    };
    const fail = (code: number | null): void => {
      settle();
      reject(new Error(`Cannot go on: the node's process ended (${code ?? "killed"}) while its ${kind} was awaited`));
    };
    child.on("message", take);
    child.on("exit", fail);
  });
}
