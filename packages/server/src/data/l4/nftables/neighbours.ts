import type { Cancel, Clock } from "../../../clock.ts";
import type { DataPlaneLog } from "../../data-plane.ts";
import type { RunCommand } from "./command.ts";

/**
 * What the kernel's neighbour table says of an address; absent from it: nothing. `stale`: there is a link address, which
 * is used, and which nobody confirmed lately.
 */
export type NeighbourState = "reachable" | "stale" | "unreachable" | "unknown";

/** How often the table is read while somebody is watched. */
export const NEIGHBOUR_INTERVAL_MS = 2000;

/** The output of `ip -j neigh show` → states by address. @throws SyntaxError when it is no JSON */
export function parseNeighbours(json: string): ReadonlyMap<string, NeighbourState> {
  const listed = (json.trim() === "" ? [] : JSON.parse(json)) as readonly RawNeighbour[];
  return new Map(listed.map(({ dst, state, lladdr }) => [dst, stateOf(state, lladdr)]));
}

interface RawNeighbour {
  readonly dst: string;
  readonly lladdr?: string;
  readonly state?: readonly string[];
}

const CONFIRMED = new Set(["REACHABLE", "PERMANENT", "NOARP"]);

/** An entry that is being asked for says nothing yet. */
function stateOf(states: readonly string[] = [], linkAddress: string | undefined): NeighbourState {
  if (states.includes("FAILED")) return "unreachable";
  if (states.some((state) => CONFIRMED.has(state))) return "reachable";
  return states.includes("INCOMPLETE") || linkAddress === undefined ? "unknown" : "stale";
}

/** How {@link Neighbours} works. */
export interface NeighboursOptions {
  readonly run: RunCommand;
  /** Sends anything to an address, so that the kernel asks for its link address. Must not throw. */
  readonly knock: (address: string) => void;
  readonly clock: Clock;
  readonly log: DataPlaneLog;
  /** Whether some address can be reached is another than before. */
  readonly onChange: (addresses: readonly string[]) => void;
}

/**
 * Follows whether backends answer on their link. The kernel itself finds their link addresses and keeps them fresh; who
 * doesn't answer to it must not be chosen. An address of which nothing is known is taken for reachable.
 */
export class Neighbours {
  readonly #options: NeighboursOptions;
  #watched: ReadonlySet<string> = new Set();
  readonly #unreachable = new Set<string>();
  #cancel: Cancel | undefined;
  #isLooking = false;
  #isFailing = false;

  constructor(options: NeighboursOptions) {
    this.#options = options;
  }

  /** Follows these from now on, and no others. */
  watch(addresses: Iterable<string>): void {
    this.#watched = new Set(addresses);
    for (const address of this.#unreachable) if (!this.#watched.has(address)) this.#unreachable.delete(address);
    if (this.#watched.size === 0) this.stop();
    else if (this.#cancel === undefined) this.#lookLater();
  }

  /** Whether nobody answers for an address. */
  isUnreachable(address: string): boolean {
    return this.#unreachable.has(address);
  }

  /** Reads the table once; does nothing while it is read already. Never rejects. */
  async look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const states = await this.#read();
    this.#isLooking = false;
    // It may have been stopped meanwhile.
    if (states === undefined || this.#cancel === undefined) return;
    const changed: string[] = [];
    for (const address of this.#watched) {
      const state = states.get(address) ?? "unknown";
      if (this.#note(address, state)) changed.push(address);
      // Who has said nothing for a while is asked again by the kernel when something is sent to him.
      if (state !== "reachable") this.#options.knock(address);
    }
    if (changed.length > 0) this.#options.onChange(changed);
  }

  /** Follows nothing any more. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #lookLater(): void {
    this.#cancel = this.#options.clock.after(NEIGHBOUR_INTERVAL_MS, () => {
      this.#lookLater();
      void this.look();
    });
  }

  async #read(): Promise<ReadonlyMap<string, NeighbourState> | undefined> {
    const { run, log } = this.#options;
    try {
      const { code, stdout, stderr } = await run({ name: "ip", args: ["-j", "neigh", "show"] });
      if (code !== 0) throw new Error(stderr.trim() || `ip ended with code ${code}`);
      this.#isFailing = false;
      return parseNeighbours(stdout);
    } catch (error) {
      if (!this.#isFailing) {
        const advice = "backends that are off their link are not noticed; ip is in the package iproute2";
        log.warn("cannot read the kernel's neighbour table", { error, advice });
      }
      this.#isFailing = true;
      return undefined;
    }
  }

  /** @returns whether it is news */
  #note(address: string, state: NeighbourState): boolean {
    const was = this.#unreachable.has(address);
    if (state === "unknown" || was === (state === "unreachable")) return false;
    if (was) this.#unreachable.delete(address);
    else this.#unreachable.add(address);
    const what = was ? "a backend answers on its link again" : "nobody answers for a backend on its link";
    this.#options.log.warn(what, { address });
    return true;
  }
}
