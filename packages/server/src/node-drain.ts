/**
 * A node that is to be out of service: it stops announcing VIPs, and watches its connections until none is left. What
 * comes meanwhile is served.
 */
import type { NodeDrain } from "@fiberlb/types";

import type { Cancel, Clock } from "./clock.ts";
import type { Log } from "./log.ts";
import { stateOf } from "./node-report.ts";
import type { Maintenance } from "./repository/maintenance.ts";

/** Something that has VIPs announced: as much of a `VipAnnouncer` as draining needs. */
export interface Withdrawable {
  /** While draining nothing is announced. */
  setDraining(draining: boolean): void;
  state(): readonly { readonly announced: boolean }[];
}

/** How {@link DrainWatch} works. */
export interface DrainWatchOptions {
  /** Of this node. */
  readonly name: string;
  readonly maintenance: Pick<Maintenance, "orderFor" | "onChange">;
  readonly announcers: readonly Withdrawable[];
  /** Connections of all listeners, flows of UDP included. */
  readonly countConnections: () => Promise<number>;
  /** Called when something has changed; undefined: the node is in service. */
  readonly onChange: (drain: NodeDrain | undefined) => void;
  readonly clock: Clock;
  readonly log: Log;
}

const LOOK_MS = 500;

/** Follows the orders for this node, and tells how far it is with them. */
export class DrainWatch {
  readonly #options: DrainWatchOptions;
  readonly #unsubscribe: () => void;
  #drain: NodeDrain | undefined;
  #draining = false;
  #cancelLook: Cancel | undefined;
  #stopped = false;

  constructor(options: DrainWatchOptions) {
    this.#options = options;
    this.#unsubscribe = options.maintenance.onChange(() => this.#follow());
    this.#follow();
  }

  /** Whether this node is to be out of service. */
  get draining(): boolean {
    return this.#draining;
  }

  /** Follows no orders any more; what was withdrawn stays so. */
  stop(): void {
    this.#stopped = true;
    this.#unsubscribe();
    this.#cancelLook?.();
  }

  #follow(): void {
    const { name, maintenance, announcers, log } = this.#options;
    const draining = maintenance.orderFor(name) !== undefined;
    if (this.#stopped || draining === this.#draining) return;
    this.#draining = draining;
    log.info(draining ? "node drains: its VIPs are withdrawn, its connections may finish" : "node is in service again");
    for (const announcer of announcers) announcer.setDraining(draining);
    this.#cancelLook?.();
    if (draining) void this.#look();
    else this.#note(undefined);
  }

  async #look(): Promise<void> {
    const { name, maintenance, announcers, countConnections, clock } = this.#options;
    const connectionsActive = await countConnections();
    const since = maintenance.orderFor(name)?.since;
    if (this.#stopped || since === undefined) return;
    const vipsAnnounced = announcers.flatMap((announcer) => announcer.state()).filter((one) => one.announced).length;
    this.#note({ since, vipsAnnounced, connectionsActive });
    this.#cancelLook?.();
    this.#cancelLook = clock.after(LOOK_MS, () => void this.#look());
  }

  #note(drain: NodeDrain | undefined): void {
    const before = this.#drain;
    this.#drain = drain;
    const isSame =
      before?.since === drain?.since &&
      before?.vipsAnnounced === drain?.vipsAnnounced &&
      before?.connectionsActive === drain?.connectionsActive;
    if (isSame) return;
    if (stateOf(drain) === "DRAINED" && (before === undefined || stateOf(before) !== "DRAINED"))
      this.#options.log.info("node is drained: no VIP is announced and no connection is left");
    this.#options.onChange(drain);
  }
}
