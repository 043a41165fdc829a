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
import { ShortLease } from "./lease.ts";
import { createLinkAddresses, type LinkAddresses } from "./link-addresses.ts";
import { LinkHolder } from "./link-holder.ts";
import { type LinkReading, readLink } from "./link.ts";
import { createNeighbourNotice, type NeighbourNotice } from "./neighbour-notice.ts";
import { OwnAbilities } from "./own-abilities.ts";
import { OwnershipView } from "./ownership-view.ts";
import { GRACE_MS } from "./tenure.ts";

/** How {@link createL2Announcer} works. */
export interface L2AnnouncerOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** This node's name; no two nodes of a store may have the same. */
  readonly node: string;
  /** On which interface the VIPs of a pool are announced; asked anew with each `apply`. */
  readonly interfaceOf: (vipPool: string) => string | undefined;
  /** Default `announce`. */
  readonly whenAllDown?: WhenAllDown;
  /**
   * How long the store waits for a node that is silent, in milliseconds. Default 3000. Shorter makes for a faster failover
   * after a crash, longer for VIPs that outlive a longer time without the store. etcd: whole seconds, at least 2.
   */
  readonly leaseTtlMs?: number;
  /** See {@link SharingRules.preemptAfterMs}. Default 60,000. */
  readonly preemptAfterMs?: number;
  /**
   * Only this process can have the store open (SQLite, memory). Then nobody waits for a lease to end, so it lasts for at
   * least 30 s. Default false.
   */
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

const DEFAULT_LEASE_TTL_MS = 3000;
const DEFAULT_PREEMPT_AFTER_MS = 60_000;
/** Where nobody waits for a silent process: long enough for the next one to start, and go on with its addresses. */
const EXCLUSIVE_LEASE_TTL_MS = 30_000;
/** A node that goes waits no longer for its addresses to be off the link and given back. */
const WITHDRAWAL_MS = 5000;
/** And then no longer for others to take them over. */
const SUCCESSION_MS = 1000;
/** Before a transaction that failed is tried again. */
const RETRY_MS = 250;

/** One VIP, as this node deals with it. */
interface Entry {
  /** Since when this node has it. */
  heldSinceMs: number;
  /** A transaction for it runs; it is looked at again afterwards. */
  isBusy: boolean;
  timer: Cancel | undefined;
  /** The claim, by its revision, that was given up: whatever the store says of it, it is never acted on again. */
  givenUp: number | undefined;
  /** Why it is not announced here. */
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
  readonly #own: OwnAbilities;
  /** Also of VIPs that are not to be announced any more, until they are given back. */
  readonly #entries = new Map<string, Entry>();
  readonly #watchers = new Set<() => void>();
  #isStopped = false;

  constructor(options: L2AnnouncerOptions) {
    const { store, clock, log, node, interfaceOf, leaseTtlMs = DEFAULT_LEASE_TTL_MS } = options;
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
      ttlMs: Math.max(leaseTtlMs, options.isStoreExclusive === true ? EXCLUSIVE_LEASE_TTL_MS : 0),
      onError,
      onGranted: () => this.#abilitiesChanged(),
      onConfirmed: () => this.#holder.refresh(),
      // When answers are late, a short lifetime after the other is as good as a long one.
      onTick: () => this.#holder.refresh(),
      onLost: () => this.#lost(),
    });
    this.#holder = new LinkHolder({ clock, log, addresses, notice, tenure: () => this.#lease.tenure });
    this.#own = new OwnAbilities({
      clock,
      log,
      addresses,
      readLink: read,
      interfaceOf,
      isHeld: (vip) => this.#holder.device(vip) !== undefined,
      keepLeftovers: this.#rules.isStoreExclusive,
      onChange: () => this.#abilitiesChanged(),
    });
    this.#candidacy = new Candidacy({
      clock,
      claimant: () => this.#claimant(),
      claims: () => this.#own.claims(),
      onLost: (lease) => this.#lease.lost(lease),
      onError,
    });
    this.#view.start();
    this.#lease.start();
  }

  apply(abilities: readonly VipAbility[]): void {
    if (!this.#isStopped) this.#own.apply(abilities);
  }

  setDraining(draining: boolean): void {
    if (!this.#isStopped) this.#own.setDraining(draining);
  }

  async withdrawAll(): Promise<void> {
    this.setDraining(true);
    const vips = [...this.#own.vips];
    const isGivenBack = (vip: string): boolean => this.#holder.device(vip) === undefined && !this.#isMine(vip);
    await this.#until(() => vips.every(isGivenBack), WITHDRAWAL_MS);
    const { node } = this.#options;
    const isTaken = (vip: string): boolean =>
      this.#view.servers(vip, node).size === 0 || (this.#view.owner(vip)?.node ?? node) !== node;
    await this.#until(() => vips.every(isTaken), SUCCESSION_MS);
  }

  state(): readonly VipAnnouncement[] {
    return [...this.#own.vips].map((vip) => {
      const { loadBalancerId = "" } = this.#own.get(vip) ?? {};
      const held = this.#holder.state(vip);
      if (held?.isOnLink === true) return { vip, loadBalancerId, announced: true, reason: "" };
      return { vip, loadBalancerId, announced: false, reason: held?.reason ?? this.#entries.get(vip)?.reason ?? "" };
    });
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    for (const { timer } of this.#entries.values()) timer?.();
    this.#candidacy.stop();
    // What is still held is left to whoever comes next, or to the kernel and the store when their times are over.
    if (this.#holder.isEmpty) await this.#lease.revoke();
    else this.#lease.stop();
    await Promise.all([this.#holder.stop(), this.#own.stop(), this.#view.stop()]);
    this.#notice.close();
  }

  #abilitiesChanged(): void {
    this.#candidacy.update();
    this.#look();
  }

  #claimant(): Claimant | undefined {
    const { store, node } = this.#options;
    const { id: lease } = this.#lease;
    return lease === undefined ? undefined : { store, node, lease };
  }

  #lost(): void {
    const { log, node } = this.#options;
    const held = [...this.#entries.keys()].filter((vip) => this.#holder.device(vip) !== undefined);
    if (held.length > 0) log.warn("this node's lease has ended: its VIPs are given up", { node, vips: held.length });
    void this.#holder.drop(held);
    this.#look();
  }

  #isMine(vip: string): boolean {
    const { id: lease } = this.#lease;
    const owner = this.#view.owner(vip);
    return lease !== undefined && owner?.lease === lease && !owner.isReleased;
  }

  /** Looks at some VIPs, or at all, and does what is to be done about them. */
  #look(vips: Iterable<string> = new Set([...this.#own.vips, ...this.#entries.keys()])): void {
    if (this.#isStopped || !this.#view.isLoaded) return;
    const releases: string[] = [];
    for (const vip of vips) {
      const entry = this.#entry(vip);
      if (entry === undefined || entry.isBusy) continue;
      const decision = this.#decide(vip, entry);
      if (decision.kind === "release") releases.push(vip);
      this.#act(vip, entry, decision);
    }
    if (releases.length > 0) void this.#release(releases);
    for (const told of this.#watchers) told();
  }

  #entry(vip: string): Entry | undefined {
    const known = this.#entries.get(vip);
    if (known !== undefined || this.#own.get(vip) === undefined) return known;
    const entry: Entry = { heldSinceMs: 0, isBusy: false, timer: undefined, givenUp: undefined, reason: "" };
    this.#entries.set(vip, entry);
    return entry;
  }

  #decide(vip: string, entry: Entry): Decision {
    const { node: self, clock } = this.#options;
    const record = this.#view.owner(vip);
    const isMine = this.#isMine(vip);
    if (isMine && record?.modRevision === entry.givenUp) return { kind: "release", reason: entry.reason };
    const device = this.#holder.device(vip);
    if (isMine && device !== undefined && device !== this.#own.device(vip))
      return { kind: "release", reason: `it is no longer to be on ${device}` };
    const facts = {
      vip,
      self,
      candidates: this.#candidates(vip),
      ownReason: this.#own.reason(vip),
      owner: record === undefined ? undefined : { node: record.node, isReleased: record.isReleased, isMine },
      freeSinceMs: this.#view.freeSinceMs(vip),
      heldSinceMs: entry.heldSinceMs,
      nowMs: clock.nowMs(),
    };
    return decide(facts, this.#rules);
  }

  #candidates(vip: string): Candidates {
    const { node: self } = this.#options;
    const ableSinceMs = this.#own.ableSinceMs(vip);
    const serving = new Map(this.#view.servers(vip, self));
    if (ableSinceMs !== undefined) serving.set(self, ableSinceMs);
    const others = this.#view.answerers(vip, self);
    return { serving, answering: this.#own.answers(vip) ? [...others, self] : others };
  }

  #act(vip: string, entry: Entry, decision: Decision): void {
    const { clock } = this.#options;
    entry.timer?.();
    entry.timer = undefined;
    entry.reason = "reason" in decision ? decision.reason : "";
    if ("againInMs" in decision && decision.againInMs !== undefined)
      entry.timer = clock.after(decision.againInMs, () => this.#look([vip]));
    // Learnt from the store, not by a claim of which it is known when it began.
    if (decision.kind === "hold") this.#hold(vip, entry, this.#rules.isStoreExclusive ? 0 : GRACE_MS);
    if (decision.kind === "claim" || decision.kind === "leave") {
      // The claim it was held under is no more.
      if (this.#holder.device(vip) !== undefined) void this.#holder.drop([vip]);
      if (decision.kind === "claim") void this.#claim(vip, entry);
      else if (this.#own.get(vip) === undefined) this.#entries.delete(vip);
    }
  }

  #hold(vip: string, entry: Entry, graceMs: number): void {
    const device = this.#own.device(vip);
    if (device === undefined || this.#holder.device(vip) !== undefined) return;
    entry.heldSinceMs = this.#options.clock.nowMs();
    this.#holder.hold(vip, device, entry.heldSinceMs + graceMs);
  }

  async #claim(vip: string, entry: Entry): Promise<void> {
    const claimant = this.#claimant();
    if (claimant === undefined) {
      entry.reason = "the store cannot be reached: there is no lease to hold it under";
      return;
    }
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
    const releases = vips.map((vip) => ({ vip, isGone: this.#own.get(vip) === undefined }));
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

const realHost = ({ clock, log }: L2AnnouncerOptions): L2Host => ({
  addresses: createLinkAddresses(),
  notice: createNeighbourNotice({ clock, log }),
  readLink,
});
