import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

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

/** What a node's process is told. */
export type ToNode = { readonly kind: "vitals" | "cpu" | "stop" };

/** What a node's process tells. Times are of CLOCK_MONOTONIC. */
export type FromNode =
  | { readonly kind: "up"; readonly apiUrl: string; readonly tookMs: number }
  | { readonly kind: "applied"; readonly revision: number; readonly atMs: number }
  | { readonly kind: "cpu"; readonly cpuMs: number }
  | { readonly kind: "vitals"; readonly vitals: Vitals };

type Of<K extends FromNode["kind"]> = Extract<FromNode, { readonly kind: K }>;

/** VIPs that no other FiberLB on this machine is likely to have. */
const VIP_POOLS = [{ name: "default", cidrs: ["127.77.0.0/16"], autoAssign: true }];

/** What a node of a benchmark can be. */
export interface BenchNodeOptions {
  /** `memory`, or the path of a SQLite file. */
  readonly store: "memory" | { readonly sqlite: string };
  /** For profiles, for example `--cpu-prof`. Default none. */
  readonly execArgv?: readonly string[];
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

  static async start({ store, execArgv = [] }: BenchNodeOptions): Promise<BenchNode> {
    const settings: NodeSettings = {
      flags: {
        "api.listen": "127.0.0.1:0",
        "admin.listen": "127.0.0.1:0",
        "shutdown.drainTimeoutMs": 0,
        vipPools: VIP_POOLS,
        ...(store === "memory" ? { "store.kind": "memory" } : { "store.kind": "sqlite", "store.path": store.sqlite }),
      },
    };
    const child = fork(fileURLToPath(new URL("node-process.ts", import.meta.url)), [JSON.stringify(settings)], {
      execArgv: ["--conditions=@fiberlb/source", "--disable-warning=ExperimentalWarning", "--expose-gc", ...execArgv],
    });
    return new BenchNode(child, await next(child, "up"));
  }

  vitals(): Promise<Vitals> {
    const answer = next(this.#process, "vitals");
    this.#tell({ kind: "vitals" });
    return answer.then(({ vitals }) => vitals);
  }

  /** CPU time of all its threads since its start, user and system. */
  cpuMs(): Promise<number> {
    const answer = next(this.#process, "cpu");
    this.#tell({ kind: "cpu" });
    return answer.then(({ cpuMs }) => cpuMs);
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
