import type { Clock } from "../../../clock.ts";
import type { Unit } from "../../../snapshot/snapshot.ts";
import type { BackendFigures, DataPlaneLog, ListenerFigures, RejectReason } from "../../data-plane.ts";
import type { NftablesDriver } from "./driver.ts";
import { endpointKey, type FamilyWords, familyOf } from "./family.ts";
import { flowKey } from "./flows.ts";
import type { Refusal } from "./hooks.ts";
import type { KernelConnections } from "./kernel-connections.ts";
import { NftError } from "./nft.ts";
import { endpointOf } from "./ruleset.ts";
import { COUNTING_SETS, Traffic } from "./traffic.ts";

/** Listing 50,000 counters takes nft more than a second: figures are at most this old, and not asked for more often. */
const FRESH_FOR_MS = 5000;

/** What {@link KernelFigures} needs. */
export interface KernelFiguresOptions {
  readonly driver: Pick<NftablesDriver, "elements" | "isLoaded">;
  readonly connections: KernelConnections;
  readonly clock: Clock;
  readonly log: DataPlaneLog;
}

/** A load balancer and which of its listeners the kernel serves. */
export interface KernelServed {
  readonly unit: Unit;
  readonly inKernel: ReadonlySet<string>;
}

/** Where a listener or backend stands. */
interface Place {
  readonly endpoints: readonly string[];
  readonly flows: readonly string[];
}

const REASONS: Readonly<Record<Refusal, RejectReason>> = {
  acl: "acl",
  limit: "connection-limit",
  rate: "rate-limit",
  backend: "no-backend",
};

/** Figures of what the kernel forwards, on top of those of the workers. */
export class KernelFigures {
  readonly #options: KernelFiguresOptions;
  readonly #traffic = new Traffic();
  #listeners = new Map<string, Place>();
  #backends = new Map<string, Place>();
  #families: readonly FamilyWords[] = [];
  /** Of all listeners. */
  #endpoints: ReadonlySet<string> = new Set();
  #refreshedMs = -Infinity;
  #refreshing: Promise<void> | undefined;

  constructor(options: KernelFiguresOptions) {
    this.#options = options;
  }

  /** What the kernel serves from now on. What it served before keeps its figures for as long as it is there. */
  serve(all: Iterable<KernelServed>): void {
    const [listeners, backends] = [new Map<string, Place>(), new Map<string, Place>()];
    const [families, endpoints] = [new Set<FamilyWords>(), new Set<string>()];
    for (const { unit, inKernel } of all) {
      if (inKernel.size > 0) families.add(familyOf(unit.vip));
      for (const listener of unit.listeners) {
        const known = this.#listeners.get(listener.id);
        if (!inKernel.has(listener.id) && known === undefined) continue;
        const endpoint = endpointOf(unit, listener);
        listeners.set(listener.id, { endpoints: [endpointKey(endpoint)], flows: [] });
        endpoints.add(endpointKey(endpoint));
        const pool = unit.pools.find(({ id }) => id === listener.defaultPoolId);
        for (const { id, address, port } of pool?.backends ?? []) {
          if (address === undefined) continue;
          const before = backends.get(id)?.flows ?? [];
          backends.set(id, { endpoints: [], flows: [...before, flowKey({ endpoint, address, port })] });
        }
      }
    }
    [this.#listeners, this.#backends] = [listeners, backends];
    this.#families = [...families];
    this.#endpoints = endpoints;
  }

  /** The workers' figures of a listener and the kernel's. Of direct server return, what is open is not known. */
  ofListener(id: string, workers: ListenerFigures): ListenerFigures {
    const place = this.#listeners.get(id);
    if (place === undefined) return workers;
    this.#refreshSoon();
    const rejected = { ...workers.rejected };
    for (const [refusal, reason] of Object.entries(REASONS)) {
      rejected[reason] += this.#sum(`refused.${refusal as Refusal}`, place.endpoints);
    }
    const connectionsActive = workers.connectionsActive + this.#open(place.endpoints);
    return { ...workers, ...this.#flowFigures(place.endpoints, workers), connectionsActive, rejected };
  }

  /** The workers' figures of a backend and the kernel's. */
  ofBackend(id: string, workers: BackendFigures): BackendFigures {
    const place = this.#backends.get(id);
    if (place === undefined) return workers;
    this.#refreshSoon();
    const connectionsActive = workers.connectionsActive + this.#open(place.flows);
    return { ...workers, ...this.#flowFigures(place.flows, workers), connectionsActive };
  }

  /** Connections that the kernel tracks for our listeners, by conntrack's state; see {@link Census}. */
  get conntrackEntries(): ReadonlyMap<string, number> {
    return this.#options.connections.census.states;
  }

  /** Asks the kernel, unless that was done not long ago. Never rejects. */
  refresh(): Promise<void> {
    const { clock, driver } = this.#options;
    if (this.#families.length === 0 || !driver.isLoaded) return Promise.resolve();
    if (clock.nowMs() - this.#refreshedMs < FRESH_FOR_MS) return this.#refreshing ?? Promise.resolve();
    this.#refreshedMs = clock.nowMs();
    this.#refreshing = this.#read().finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  #refreshSoon(): void {
    void this.refresh();
  }

  async #read(): Promise<void> {
    const { driver, log, connections } = this.#options;
    await connections.refresh(this.#families, (key) => this.#endpoints.has(key));
    try {
      for (const { suffix } of this.#families) {
        for (const set of COUNTING_SETS)
          this.#traffic.note(set, suffix, await driver.elements("set", `${set}${suffix}`));
      }
    } catch (error) {
      // The table may have gone meanwhile; the forwarder looks after that.
      if (!(error instanceof NftError) || error.kind !== "not-found")
        log.warn("cannot read the kernel's counters", { error });
    }
  }

  #flowFigures(
    keys: readonly string[],
    workers: { readonly connectionsTotal: number; readonly bytesIn: number; readonly bytesOut: number },
  ): Pick<ListenerFigures, "connectionsTotal" | "bytesIn" | "bytesOut"> {
    return {
      connectionsTotal: workers.connectionsTotal + this.#sum("opened", keys),
      bytesIn: workers.bytesIn + this.#sum("traffic.in", keys),
      bytesOut: workers.bytesOut + this.#sum("traffic.out", keys),
    };
  }

  #open(keys: readonly string[]): number {
    const { open } = this.#options.connections.census;
    return keys.reduce((sum, key) => sum + (open.get(key) ?? 0), 0);
  }

  #sum(set: (typeof COUNTING_SETS)[number], keys: readonly string[]): number {
    return keys.reduce((sum, key) => sum + this.#traffic.total(set, key), 0);
  }
}
