import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { type Cancel, type Clock, delay } from "../../clock.ts";
import type { Log } from "../../log.ts";
import type { GuardedRoute } from "../bgp/route-set.ts";
import type { GuardOrders, ToGuard } from "./messages.ts";
import type { RouteGuard } from "./route-guard.ts";

/** How {@link createGuardProcess} works. */
export interface GuardProcessOptions {
  readonly orders: Omit<GuardOrders, "kind">;
  readonly clock: Clock;
  readonly log: Log;
  /** Starts the process. Default: the real one. */
  readonly start?: () => ChildProcess;
}

const RESTART_MS = 1000;
const READY_MS = 5000;
/** A guard that does not end after its goodbye is no reason to stay. */
const GOODBYE_MS = 1000;

/**
 * Starts a guard in a process and a session of its own, which nothing joins to this one but a pipe. Resolves when it could
 * act, so that nothing is announced before; or when it takes too long for that, since a guard that cannot be started is no
 * reason to announce nothing.
 */
export async function startGuardProcess(options: GuardProcessOptions): Promise<RouteGuard> {
  const { clock, log } = options;
  const guard = new GuardProcess(options);
  const late = Promise.withResolvers<void>();
  const cancel = clock.after(READY_MS, () => {
    log.warn("the guard is not ready; VIPs are announced without it so far", { waitedMs: READY_MS });
    late.resolve();
  });
  await Promise.race([guard.ready, late.promise]);
  cancel();
  return guard;
}

class GuardProcess implements RouteGuard {
  readonly #options: GuardProcessOptions;
  #child: ChildProcess | undefined;
  #routes: readonly GuardedRoute[] = [];
  #cancelRestart: Cancel | undefined;
  readonly #ready = Promise.withResolvers<void>();
  #isReleased = false;

  constructor(options: GuardProcessOptions) {
    this.#options = options;
    this.#start();
  }

  /** Resolves when a guard could act for the first time. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  hold(routes: readonly GuardedRoute[]): void {
    this.#routes = routes;
    this.#say({ kind: "routes", routes });
  }

  async release(): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#cancelRestart?.();
    const child = this.#child;
    if (child === undefined || !isRunning(child)) return;
    const exited = once(child, "exit");
    this.#say({ kind: "goodbye" });
    child.stdin?.end();
    await Promise.race([exited, delay(this.#options.clock, GOODBYE_MS)]);
    if (isRunning(child)) child.kill("SIGKILL");
  }

  #start(): void {
    const { orders, start = startRealGuard } = this.#options;
    const child = start();
    this.#child = child;
    // It must not keep this process alive, which may end in any way.
    child.unref();
    for (const stream of [child.stdin, child.stdout]) (stream as unknown as { unref?: () => void } | null)?.unref?.();
    child.stdin?.on("error", () => undefined);
    // It says one thing only.
    child.stdout?.once("data", () => this.#ready.resolve());
    child.once("error", (error) => this.#lose(error.message));
    child.once("exit", (code, signal) => this.#lose(signal ?? `exit code ${code}`));
    this.#say({ kind: "orders", ...orders });
    this.#say({ kind: "routes", routes: this.#routes });
  }

  #lose(reason: string): void {
    if (this.#isReleased || this.#cancelRestart !== undefined) return;
    const { clock, log } = this.#options;
    log.warn("the guard of announced VIPs is gone; starting another", { reason });
    this.#cancelRestart = clock.after(RESTART_MS, () => {
      this.#cancelRestart = undefined;
      this.#start();
    });
  }

  #say(message: ToGuard): void {
    if (this.#child?.stdin?.writable === true) this.#child.stdin.write(`${JSON.stringify(message)}\n`);
  }
}

const isRunning = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode === null && signalCode === null;

function startRealGuard(): ChildProcess {
  const fromSource = import.meta.url.endsWith(".ts");
  const entry = fromSource ? new URL("./guard-main.ts", import.meta.url) : new URL("./guard-main.js", import.meta.url);
  const flags = ["--disable-warning=ExperimentalWarning"];
  if (fromSource) flags.push("--conditions=@fiberlb/source");
  return spawn(process.execPath, [...flags, fileURLToPath(entry)], {
    // A session of its own: what is sent to this process's group is not for the guard.
    detached: true,
    stdio: ["pipe", "pipe", "inherit"],
    cwd: "/",
    env: {},
  });
}
