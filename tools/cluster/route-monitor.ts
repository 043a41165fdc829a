// What the router's kernel forwards by, with the time of every change.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

import { inNamespace } from "./namespaces.ts";
import { nodeWithNextHop } from "./plan.ts";
import { nextHopsAfter, parseRouteLine } from "./route-line.ts";

/** A prefix's nodes after a change. */
export interface RouteState {
  /** Since 1970. */
  readonly atMs: number;
  /** Names, sorted. */
  readonly nodes: readonly string[];
}

const DEADLINE_MS = 60_000;

/** Now, on the clock of {@link RouteState}: the machine's, which performance.timeOrigin drifts away from. */
export const nowMs = (): number => Date.now();

/** Follows the routes of a namespace from its start on. */
export class RouteMonitor {
  readonly #process: ChildProcess;
  readonly #nextHops = new Map<string, ReadonlySet<string>>();
  readonly #history = new Map<string, RouteState[]>();
  readonly #listeners = new Set<() => void>();

  constructor(namespace: string) {
    const [program, ...args] = inNamespace(namespace);
    const monitor = ["ip", "-o", "-ts", "monitor", "route"];
    this.#process = spawn(program!, [...args, ...monitor], {
      stdio: ["ignore", "pipe", "ignore"],
      env: { ...process.env, TZ: "UTC" },
    });
    createInterface(this.#process.stdout!).on("line", (line) => this.#take(line));
  }

  /** The nodes that the router sends a prefix to now, sorted. */
  nodes(prefix: string): readonly string[] {
    return this.#history.get(prefix)?.at(-1)?.nodes ?? [];
  }

  /** How many prefixes the router sends to a node. */
  prefixesVia(node: string): number {
    const isIts = (hop: string): boolean => nodeWithNextHop(hop) === node;
    return [...this.#nextHops.values()].filter((hops) => [...hops].some(isIts)).length;
  }

  /** Every state of a prefix since that time, the one that was there included. */
  since(prefix: string, sinceMs: number): readonly RouteState[] {
    const all = this.#history.get(prefix) ?? [];
    const first = all.findLastIndex(({ atMs }) => atMs <= sinceMs);
    return all.slice(Math.max(first, 0));
  }

  /**
   * Waits until a prefix is as wanted, and tells since when: the first such moment at or after `sinceMs`.
   * @throws Error with the states since then after a minute
   */
  async until(
    prefix: string,
    holds: (nodes: readonly string[]) => boolean,
    { sinceMs = nowMs(), deadlineMs = DEADLINE_MS } = {},
  ): Promise<number> {
    const found = (): number | undefined => {
      const state = this.since(prefix, sinceMs).find(({ nodes }) => holds(nodes));
      return state === undefined ? undefined : Math.max(state.atMs, sinceMs);
    };
    return await this.#when(found, deadlineMs, () => {
      const seen = this.since(prefix, sinceMs).map(
        ({ atMs, nodes }) => `${Math.round(atMs - sinceMs)} ms: ${nodes.join(" ") || "none"}`,
      );
      return `the router's route to ${prefix} is not as it should be; it was: ${seen.join("; ") || "never there"}`;
    });
  }

  /** Waits until the router sends at least so many prefixes to a node. @returns when that was seen */
  untilVia(node: string, count: number, deadlineMs = DEADLINE_MS): Promise<number> {
    return this.#when(
      () => (this.prefixesVia(node) >= count ? nowMs() : undefined),
      deadlineMs,
      () => `the router sends only ${this.prefixesVia(node)} of ${count} prefixes to ${node}`,
    );
  }

  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
  }

  #when(found: () => number | undefined, deadlineMs: number, complaint: () => string): Promise<number> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(deadline);
        this.#listeners.delete(look);
      };
      const look = (): void => {
        const at = found();
        if (at === undefined) return;
        settle();
        resolve(at);
      };
      const deadline = setTimeout(() => {
        settle();
        reject(new Error(`${complaint()} (after ${deadlineMs / 1000} s)`));
      }, deadlineMs);
      this.#listeners.add(look);
      look();
    });
  }

  #take(line: string): void {
    const change = parseRouteLine(line);
    if (change === undefined) return;
    const hops = nextHopsAfter(this.#nextHops.get(change.prefix) ?? new Set(), change);
    if (hops.size === 0) this.#nextHops.delete(change.prefix);
    else this.#nextHops.set(change.prefix, hops);
    const history = this.#history.get(change.prefix) ?? [];
    this.#history.set(change.prefix, history);
    history.push({ atMs: change.atMs, nodes: [...hops].map((hop) => nodeWithNextHop(hop) ?? hop).toSorted() });
    for (const listener of this.#listeners) listener();
  }
}
