/**
 * Announces VIPs on a link: each is on the interface of one node, chosen by all of them alike, held under a lease.
 */
import { isStoreError, type LeaseId, type Store } from "@fiberlb/store";

import type { Cancel, Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import type { VipAbility, VipAnnouncement, VipAnnouncer } from "../ability.ts";
import type { WhenAllDown } from "../decide.ts";
import { Candidacy } from "./candidacy.ts";
import { type Claimant, claimVip, releaseVips } from "./claims.ts";
import { type Candidates, type Decision, decide, type SharingRules } from "./decide.ts";
import { ForeignAddresses } from "./foreign-addresses.ts";
import { ShortLease } from "./lease.ts";
import { createLinkAddresses, type LinkAddresses } from "./link-addresses.ts";
import { LinkHolder } from "./link-holder.ts";
import { LinkWatch } from "./link-watch.ts";
import { type LinkReading, readLink } from "./link.ts";
import { createNeighbourNotice, type NeighbourNotice } from "./neighbour-notice.ts";
import { type NodeClaims, OwnershipView } from "./ownership-view.ts";
import { GRACE_MS } from "./tenure.ts";

/** How {@link createL2Announcer} works. */
export interface L2AnnouncerOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** This node's name; no two nodes of a store may have the same. */
  readonly node: string;
  /** By VIP pool, the interface on which its VIPs are announced. */
  readonly interfaces: ReadonlyMap<string, string>;
  /** Default `announce`. */
  readonly whenAllDown?: WhenAllDown;
  /**
   * How long the store waits for a node that is silent, in milliseconds. Default 3000. Shorter makes for a faster failover
   * after a crash, longer for VIPs that outlive a longer time without the store. etcd: whole seconds, at least 2.
   */
  readonly leaseTtlMs?: number;
  /** See {@link SharingRules.preemptAfterMs}. Default 60,000. */
  readonly preemptAfterMs?: number;
  /** Only this process can have the store open (SQLite, memory). Default false. */
  readonly isStoreExclusive?: boolean;
  /** What is done to the host. Default: the real one. */
  readonly host?: L2Host;
}

/** What of a host the announcer uses. */
export interface L2Host {
  readonly addresses: LinkAddresses;
  readonly notice: NeighbourNotice;
  readonly readLink: (device: string) => LinkReading;
}

/** See {@link L2AnnouncerOptions.leaseTtlMs}. */
export const DEFAULT_LEASE_TTL_MS = 3000;
/** See {@link SharingRules.preemptAfterMs}. */
export const DEFAULT_PREEMPT_AFTER_MS = 60_000;
/** A node that goes waits no longer for its addresses to be off the link and given back. */
const WITHDRAWAL_MS = 5000;
/** And then no longer for others to take them over. */
const SUCCESSION_MS = 1000;
/** Before a transaction that failed is tried again. */
const RETRY_MS = 250;

/** One VIP, as this node deals with it. */
interface Entry {
  /** Undefined: it is not to be announced any more. */
  ability: VipAbility | undefined;
  /** Since when this node can serve it; undefined: it can't. */
  ableSinceMs: number | undefined;
  /** Since when this node has it, as often as it did. */
  heldSinceMs: number;
  /** A transaction for it runs; it is looked at again afterwards. */
  isBusy: boolean;
  timer: Cancel | undefined;
  /** The claim, by its revision, that was given up: whatever the store says of it, it is never acted on again. */
  givenUp: number | undefined;
  reason: string;
}

/** A {@link VipAnnouncer} for pools with `announce.kind: l2`. Works at once, and until `stop`. */
export function createL2Announcer(options: L2AnnouncerOptions): VipAnnouncer {
  return new L2Announcer(options);
}

class L2Announcer implements VipAnnouncer {
  readonly #options: L2AnnouncerOptions;
  readonly #rules: SharingRules;
  readonly #notice: NeighbourNotice;
  readonly #view: OwnershipView;
  readonly #lease: ShortLease;
  readonly #candidacy: Candidacy;
  readonly #holder: LinkHolder;
  readonly #links: LinkWatch;
  readonly #foreign: ForeignAddresses;
  readonly #entries = new Map<string, Entry>();
  readonly #watchers = new Set<() => void>();
  #isDraining = false;
  #isStopped = false;

  constructor(options: L2AnnouncerOptions) {
    const { store, clock, log, node } = options;
    const { addresses, notice, readLink: read } = options.host ?? realHost(options);
    const onError = (error: unknown): void => log.debug("l2: the store did not answer", { node, error });
    this.#options = options;
    this.#notice = notice;
    this.#rules = {
      preemptAfterMs: options.preemptAfterMs ?? DEFAULT_PREEMPT_AFTER_MS,
      whenAllDown: options.whenAllDown ?? "announce",
      isStoreExclusive: options.isStoreExclusive ?? false,
    };
    this.#view = new OwnershipView({ store, clock, onError, onChange: (vips) => this.#look(vips) });
    this.#lease = new ShortLease({
      store,
      clock,
      ttlMs: options.leaseTtlMs ?? DEFAULT_LEASE_TTL_MS,
      onError,
      onGranted: () => this.#granted(),
      onConfirmed: () => this.#holder.refresh(),
      onLost: () => this.#lost(),
    });
    this.#candidacy = new Candidacy({
      clock,
      claimant: () => this.#claimant(),
      claims: () => this.#claims(),
      onLost: (lease) => this.#lease.lost(lease),
      onError,
    });
    this.#holder = new LinkHolder({ clock, log, addresses, notice, tenure: () => this.#lease.tenure });
    this.#foreign = new ForeignAddresses({
      clock,
      addresses,
      isHeld: (vip) => this.#holder.has(vip),
      keepLeftovers: this.#rules.isStoreExclusive,
      onChange: () => this.#abilitiesChanged(),
    });
    this.#links = new LinkWatch({
      clock,
      devices: new Set(options.interfaces.values()),
      readLink: read,
      onChange: (device, reason) => {
        log[reason === "" ? "info" : "warn"](reason || "interface can be used again", { interface: device });
        this.#abilitiesChanged();
      },
    });
    this.#view.start();
    this.#lease.start();
  }

  apply(abilities: readonly VipAbility[]): void {
    const next = new Map(abilities.map((ability) => [ability.vip, ability]));
    for (const [vip, entry] of this.#entries) if (!next.has(vip)) entry.ability = undefined;
    for (const [vip, ability] of next) {
      const entry = this.#entries.get(vip);
      if (entry === undefined) this.#entries.set(vip, newEntry(ability));
      else entry.ability = ability;
    }
    this.#foreign.watch(new Set(next.keys()));
    this.#abilitiesChanged();
  }

  setDraining(draining: boolean): void {
    this.#isDraining = draining;
    this.#abilitiesChanged();
  }

  async withdrawAll(): Promise<void> {
    this.setDraining(true);
    const entries = [...this.#entries.keys()];
    await this.#until(() => entries.every((vip) => !this.#holder.has(vip) && !this.#isMine(vip)), WITHDRAWAL_MS);
    const { node } = this.#options;
    const isTaken = (vip: string): boolean =>
      this.#view.servers(vip, node).size === 0 || (this.#view.owner(vip)?.node ?? node) !== node;
    await this.#until(() => entries.every(isTaken), SUCCESSION_MS);
  }

  state(): readonly VipAnnouncement[] {
    return [...this.#entries].flatMap(([vip, { ability, reason }]) => {
      if (ability === undefined) return [];
      const held = this.#holder.state(vip);
      const announced = held?.isOnLink ?? false;
      return [
        { vip, loadBalancerId: ability.loadBalancerId, announced, reason: announced ? "" : (held?.reason ?? reason) },
      ];
    });
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    for (const { timer } of this.#entries.values()) timer?.();
    this.#candidacy.stop();
    this.#links.stop();
    // What is still held is left to whoever comes next, or to the kernel and the store when their times are over.
    if ([...this.#entries.keys()].some((vip) => this.#holder.has(vip))) this.#lease.stop();
    else await this.#lease.revoke();
    await Promise.all([this.#holder.stop(), this.#foreign.stop(), this.#view.stop()]);
    this.#notice.close();
  }

  /** What this node can do, or what hinders it, may have changed. */
  #abilitiesChanged(): void {
    const nowMs = this.#options.clock.nowMs();
    for (const [vip, entry] of this.#entries) {
      const serves = entry.ability?.canServe === true && this.#hindrance(vip, entry) === "";
      entry.ableSinceMs = serves ? (entry.ableSinceMs ?? nowMs) : undefined;
    }
    this.#candidacy.update();
    this.#look();
  }

  /** Why this node can't have a VIP, whatever it could serve; empty when it can. */
  #hindrance(vip: string, { ability }: Entry): string {
    if (ability === undefined) return "its load balancer is gone";
    if (this.#isDraining) return "node draining";
    const device = this.#options.interfaces.get(ability.vipPool);
    if (device === undefined) return `VIP pool ${ability.vipPool} names no interface`;
    return this.#links.reason(device) || this.#foreign.reason(vip);
  }

  #claims(): NodeClaims {
    const serves: string[] = [];
    const answers: string[] = [];
    for (const [vip, entry] of this.#entries) {
      if (entry.ableSinceMs !== undefined) serves.push(vip);
      else if (entry.ability?.canAnswer === true && this.#hindrance(vip, entry) === "") answers.push(vip);
    }
    return { serves, answers };
  }

  #claimant(): Claimant | undefined {
    const { store, node } = this.#options;
    const { id: lease } = this.#lease;
    return lease === undefined ? undefined : { store, node, lease };
  }

  #granted(): void {
    this.#candidacy.update();
    this.#look();
  }

  #lost(): void {
    const { log, node } = this.#options;
    const held = [...this.#entries.keys()].filter((vip) => this.#holder.has(vip));
    if (held.length > 0)
      log.warn("this node's lease has ended in the store: its VIPs are given up", { node, vips: held.length });
    void this.#holder.drop(held);
    this.#look();
  }

  #isMine(vip: string): boolean {
    const { id: lease } = this.#lease;
    const owner = this.#view.owner(vip);
    return lease !== undefined && owner?.lease === lease && !owner.isReleased;
  }

  /** Looks at some VIPs, or at all, and does what is to be done about them. */
  #look(vips: Iterable<string> = this.#entries.keys()): void {
    if (this.#isStopped || !this.#view.isLoaded) return;
    const releases: string[] = [];
    for (const vip of vips) {
      const entry = this.#entries.get(vip);
      if (entry === undefined || entry.isBusy) continue;
      const decision = this.#decide(vip, entry);
      if (decision.kind === "release") releases.push(vip);
      this.#act(vip, entry, decision);
    }
    if (releases.length > 0) void this.#release(releases);
    for (const told of this.#watchers) told();
  }

  #decide(vip: string, entry: Entry): Decision {
    const { node: self, clock } = this.#options;
    const record = this.#view.owner(vip);
    const isMine = this.#isMine(vip);
    if (isMine && record?.modRevision === entry.givenUp) return { kind: "release", reason: entry.reason };
    const hindrance = this.#hindrance(vip, entry);
    const facts = {
      vip,
      self,
      candidates: this.#candidates(vip, entry, hindrance),
      ownReason: hindrance || (entry.ability?.reason ?? ""),
      owner: record === undefined ? undefined : { node: record.node, isReleased: record.isReleased, isMine },
      freeSinceMs: this.#view.freeSinceMs(vip),
      heldSinceMs: entry.heldSinceMs,
      nowMs: clock.nowMs(),
    };
    return decide(facts, this.#rules);
  }

  #candidates(vip: string, { ability, ableSinceMs }: Entry, hindrance: string): Candidates {
    const { node: self } = this.#options;
    const serving = new Map(this.#view.servers(vip, self));
    const answering = [...this.#view.answerers(vip, self)];
    if (ableSinceMs !== undefined) serving.set(self, ableSinceMs);
    else if (hindrance === "" && ability?.canAnswer === true) answering.push(self);
    return { serving, answering };
  }

  #act(vip: string, entry: Entry, decision: Decision): void {
    const { clock } = this.#options;
    entry.timer?.();
    entry.timer = undefined;
    entry.reason = "reason" in decision ? decision.reason : "";
    // The claim it was held under is no more.
    if ((decision.kind === "claim" || decision.kind === "leave") && this.#holder.has(vip))
      void this.#holder.drop([vip]);
    if ("againInMs" in decision && decision.againInMs !== undefined)
      entry.timer = clock.after(decision.againInMs, () => this.#look([vip]));
    if (decision.kind === "claim") void this.#claim(vip, entry);
    // Learnt from the store, not by a claim of which it is known when it began.
    if (decision.kind === "hold") this.#hold(vip, entry, this.#rules.isStoreExclusive ? 0 : GRACE_MS);
    if (decision.kind === "leave" && entry.ability === undefined) this.#entries.delete(vip);
  }

  #hold(vip: string, entry: Entry, graceMs: number): void {
    const device = this.#options.interfaces.get(entry.ability?.vipPool ?? "");
    if (device === undefined || this.#holder.has(vip)) return;
    entry.heldSinceMs = this.#options.clock.nowMs();
    this.#holder.hold(vip, device, entry.heldSinceMs + graceMs);
  }

  async #claim(vip: string, entry: Entry): Promise<void> {
    const claimant = this.#claimant();
    if (claimant === undefined) return void (entry.reason = "the store cannot be reached: no lease to hold it under");
    const over = this.#view.owner(vip);
    await this.#write([vip], claimant.lease, async () => {
      const record = await claimVip(claimant, vip, over);
      // Somebody was faster, of which the watch will tell.
      if (record === undefined) return RETRY_MS;
      this.#view.note(vip, record);
      // What its owner gave back, nobody has; what has just vanished, its owner may have for a moment more.
      if (this.#isMine(vip)) this.#hold(vip, entry, over === undefined ? GRACE_MS : 0);
      return 0;
    });
  }

  async #release(vips: readonly string[]): Promise<void> {
    const claimant = this.#claimant();
    if (claimant === undefined) return;
    const releases = vips.map((vip) => ({ vip, isGone: this.#entries.get(vip)?.ability === undefined }));
    for (const vip of vips) (this.#entries.get(vip) as Entry).givenUp = this.#view.owner(vip)?.modRevision;
    await this.#write(vips, claimant.lease, async () => {
      await this.#holder.drop(vips);
      for (const [vip, record] of await releaseVips(claimant, releases)) this.#view.note(vip, record);
      return 0;
    });
  }

  /** Runs what writes, and looks at its VIPs again: after as many milliseconds as it says, or later when it failed. */
  async #write(vips: readonly string[], lease: LeaseId, work: () => Promise<number>): Promise<void> {
    const { clock, log, node } = this.#options;
    const entries = vips.flatMap((vip) => this.#entries.get(vip) ?? []);
    for (const entry of entries) entry.isBusy = true;
    let delayMs = RETRY_MS;
    try {
      delayMs = await work();
    } catch (error) {
      if (isStoreError(error, "LEASE_NOT_FOUND")) this.#lease.lost(lease);
      else log.debug("l2: a change of owner failed; it is tried again", { node, error });
    }
    for (const entry of entries) entry.isBusy = false;
    if (delayMs === 0) this.#look(vips);
    else clock.after(delayMs, () => this.#look(vips));
  }

  /** Resolves once it is so, at the latest after `timeoutMs`. */
  #until(isSo: () => boolean, timeoutMs: number): Promise<void> {
    if (isSo()) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#options.clock.after(timeoutMs, () => end());
    const told = (): void => void (isSo() && end());
    const end = (): void => {
      cancel();
      this.#watchers.delete(told);
      resolve();
    };
    this.#watchers.add(told);
    return promise;
  }
}

const newEntry = (ability: VipAbility): Entry => ({
  ability,
  ableSinceMs: undefined,
  heldSinceMs: 0,
  isBusy: false,
  timer: undefined,
  givenUp: undefined,
  reason: "",
});

const realHost = ({ clock, log }: L2AnnouncerOptions): L2Host => ({
  addresses: createLinkAddresses(),
  notice: createNeighbourNotice({ clock, log }),
  readLink,
});
