/**
 * Has the VIPs of this node announced, each in the way that its pool says, and withdrawn in order when the node leaves.
 */
import type { AnnounceKind, VipPool } from "@fiberlb/types";

import { type Clock, delay } from "../clock.ts";
import type { BgpFigures, VipAbility, VipAnnouncement, VipAnnouncer } from "./ability.ts";
import { Serving } from "./serving.ts";

/** Ways that something of ours does. */
export type AnnouncerKind = Exclude<AnnounceKind, "NONE">;

/** How {@link Announcing} works. */
export interface AnnouncingOptions {
  /** Makes what announces in a way, when the first VIP asks for it. Absent: this node can't. */
  readonly create: Readonly<Partial<Record<AnnouncerKind, () => VipAnnouncer>>>;
  /** Of VIPs whose pool does not say. */
  readonly fallback: AnnounceKind;
  readonly pools: {
    find(name: string): Pick<VipPool, "announce"> | undefined;
    onChange(listener: () => void): () => void;
  };
  /** How long the network gets to hear of a withdrawal before nothing is accepted any more. */
  readonly withdrawWaitMs: number;
  readonly clock: Clock;
}

/** What this node can serve, and what becomes of it in the network. */
export class Announcing {
  /** To be told what is served. */
  readonly serving = new Serving(() => this.#apply());
  readonly #options: AnnouncingOptions;
  readonly #announcers = new Map<AnnouncerKind, VipAnnouncer>();
  readonly #unsubscribe: () => void;
  #draining = false;
  #isLeaving = false;

  constructor(options: AnnouncingOptions) {
    this.#options = options;
    this.#unsubscribe = options.pools.onChange(() => this.#apply());
    // Its sessions take seconds: they should be there when the first VIP is.
    if (options.fallback !== "NONE") this.#announcer(options.fallback);
  }

  /** Ways in which this node announces now. */
  get kinds(): readonly AnnouncerKind[] {
    return [...this.#announcers.keys()];
  }

  /** What is so of every VIP. */
  state(): readonly VipAnnouncement[] {
    const announced = [...this.#announcers.values()].flatMap((announcer) => announcer.state());
    const known = new Set(announced.map(({ vip }) => vip));
    const others = this.serving.abilities.filter(({ vip }) => !known.has(vip));
    return [...announced, ...others.map((ability) => this.#withoutAnnouncer(ability))];
  }

  /** How BGP stands; undefined: this node does not speak it. */
  figures(): BgpFigures | undefined {
    return this.#announcers.get("BGP")?.figures?.();
  }

  /** While draining nothing is announced; what is, is withdrawn gently. */
  setDraining(draining: boolean): void {
    if (this.#draining === draining || this.#isLeaving) return;
    this.#draining = draining;
    if (!draining) {
      this.serving.setDraining(false);
      for (const announcer of this.#announcers.values()) announcer.setDraining(false);
      return;
    }
    // Only then it can't serve: until the network has heard, it does.
    void this.#withdraw().then(() => {
      if (this.#draining) this.serving.setDraining(true);
    });
  }

  /** For good: withdraws all VIPs, and waits until the network has turned elsewhere. */
  async leave(): Promise<void> {
    this.#isLeaving = true;
    // Also what seems not to be announced: a router may have heard what we have not heard that it has.
    const vips = [...this.#announcers.values()].flatMap((announcer) => announcer.state());
    await this.#withdraw();
    if (vips.length > 0) await delay(this.#options.clock, this.#options.withdrawWaitMs);
  }

  /** Ends without changing what is announced: after `leave`, or for another process to go on with it. */
  async stop(): Promise<void> {
    this.#isLeaving = true;
    this.#unsubscribe();
    await Promise.all([...this.#announcers.values()].map((announcer) => announcer.stop()));
  }

  async #withdraw(): Promise<void> {
    await Promise.all([...this.#announcers.values()].map((announcer) => announcer.withdrawAll()));
  }

  /** Before the first configuration nothing is known, and what an earlier process announced stays. */
  #apply(): void {
    if (!this.serving.isReady) return;
    const byKind = Map.groupBy(this.serving.abilities, ({ vipPool }) => this.#kindOf(vipPool));
    for (const kind of new Set([...byKind.keys(), ...this.#announcers.keys()]))
      if (kind !== "NONE") this.#announcer(kind)?.apply(byKind.get(kind) ?? []);
  }

  #announcer(kind: AnnouncerKind): VipAnnouncer | undefined {
    const known = this.#announcers.get(kind);
    if (known !== undefined || this.#isLeaving) return known;
    const announcer = this.#options.create[kind]?.();
    if (announcer === undefined) return undefined;
    this.#announcers.set(kind, announcer);
    if (this.#draining) announcer.setDraining(true);
    return announcer;
  }

  #kindOf(vipPool: string): AnnounceKind {
    return this.#options.pools.find(vipPool)?.announce?.kind ?? this.#options.fallback;
  }

  #withoutAnnouncer({ vip, loadBalancerId, vipPool }: VipAbility): VipAnnouncement {
    const kind = this.#kindOf(vipPool);
    const reason =
      kind === "NONE"
        ? `VIP pool ${vipPool} is not announced`
        : `VIP pool ${vipPool} is announced by ${kind}, which this node is not configured for`;
    return { vip, loadBalancerId, announced: false, reason };
  }
}
