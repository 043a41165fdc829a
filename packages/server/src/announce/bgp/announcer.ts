/**
 * Announces VIPs by BGP: decides about each, makes routes of those that are to be announced, and hands the whole set to the
 * speaker whenever it has changed.
 */
import type { Route, Speaker } from "@fiberlb/bgp-speaker";
import { type IpAddress, ipFamily, ipScope } from "@fiberlb/types";

import { type Cancel, type Clock, delay } from "../../clock.ts";
import type { Log } from "../../log.ts";
import type { BgpFigures, VipAbility, VipAnnouncement, VipAnnouncer } from "../ability.ts";
import { decide, type Decision, NEW_VIP, type PeerAbility, type VipState } from "../decide.ts";
import type { RouteGuard } from "../guard/route-guard.ts";
import type { NextHops } from "./next-hop.ts";
import {
  type AnnouncedVip,
  communitiesOf,
  type GuardedRoute,
  nextHopSetting,
  prefixOf,
  routesOf,
  type RouteSettings,
} from "./route-set.ts";

/** What the announcer knows of the other nodes. */
export interface PeerView {
  /** Whether it was ever learnt. */
  readonly isLoaded: boolean;
  others(vip: string, node: string): readonly PeerAbility[];
  onChange(listener: (vips: readonly string[]) => void): () => void;
}

/** How {@link BgpAnnouncer} works. */
export interface BgpAnnouncerOptions {
  readonly node: string;
  /** Closed by `stop`. */
  readonly speaker: Speaker;
  readonly nextHops: NextHops;
  readonly view: PeerView;
  /** How VIPs of a pool are announced, now. */
  readonly settingsOf: (vipPool: string) => RouteSettings;
  /** Watches over the routes when this process dies; default: nobody does. */
  readonly guard?: RouteGuard;
  /** How long routers get to hear of something. */
  readonly withdrawWaitMs: number;
  /** Called when the state has changed. */
  readonly onChange: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is so of a VIP beyond {@link VipAnnouncement}, for the other nodes. */
export interface BgpAnnouncement extends VipAnnouncement {
  readonly prefix: string;
  readonly canServe: boolean;
  readonly canAnswer: boolean;
  readonly servedUntilMs?: number;
}

/**
 * - `announcing`: what is decided.
 * - `leaving`: the same with GRACEFUL_SHUTDOWN, so that routers turn to others while connections here go on.
 * - `withdrawn`: nothing.
 */
type Phase = "announcing" | "leaving" | "withdrawn";

interface Entry {
  readonly ability: VipAbility;
  readonly state: VipState;
  readonly decision: Decision;
}

/** Nobody waits longer for the daemon to hear of a withdrawal. */
const WITHDRAW_DEADLINE_MS = 3000;

export class BgpAnnouncer implements VipAnnouncer {
  readonly #options: BgpAnnouncerOptions;
  readonly #unsubscribe: readonly (() => void)[];
  readonly #entries = new Map<string, Entry>();
  /** VIPs to be decided about. */
  readonly #dirty = new Set<string>();
  #phase: Phase = "announcing";
  /** Ends the waiting of a withdrawal that is called off. */
  #leaving: AbortController | undefined;
  #withdrawal: Promise<void> | undefined;
  #isScheduled = false;
  #cancelLook: Cancel | undefined;
  /** What the speaker was told last; undefined: nothing so far, so that what an earlier process left stays. */
  #published: string | undefined;
  /** Whether it was ever said what this node can serve. */
  #isTold = false;
  #isStopped = false;

  constructor(options: BgpAnnouncerOptions) {
    this.#options = options;
    this.#unsubscribe = [
      options.view.onChange((vips) => this.#look(vips.filter((vip) => this.#entries.has(vip)))),
      options.speaker.onStatus(() => options.onChange()),
    ];
  }

  /** Why routers learn of nothing now; empty when they do. */
  get problem(): string {
    const { daemon, peers } = this.#options.speaker.status();
    if (daemon.state !== "ready") return daemon.reason === "" ? "GoBGP has not been reached so far" : daemon.reason;
    const isHeard = peers.length === 0 || peers.some(({ state }) => state === "ESTABLISHED");
    return isHeard ? "" : `no BGP session is established with ${peers.map(({ address }) => address).join(", ")}`;
  }

  apply(abilities: readonly VipAbility[]): void {
    this.#isTold = true;
    const kept = new Set(abilities.map(({ vip }) => vip));
    for (const vip of this.#entries.keys()) if (!kept.has(vip)) this.#entries.delete(vip);
    const changed = abilities.filter((ability) => this.#entries.get(ability.vip)?.ability !== ability);
    for (const ability of changed) {
      const { state = NEW_VIP, decision = UNDECIDED } = this.#entries.get(ability.vip) ?? {};
      this.#entries.set(ability.vip, { ability, state, decision });
    }
    this.#look(changed.map(({ vip }) => vip));
  }

  setDraining(draining: boolean): void {
    if (draining) {
      void this.withdrawAll();
      return;
    }
    this.#leaving?.abort(new Error("in service again"));
    this.#leaving = undefined;
    this.#withdrawal = undefined;
    this.#phase = "announcing";
    this.#look([]);
  }

  withdrawAll(): Promise<void> {
    this.#leaving ??= new AbortController();
    return (this.#withdrawal ??= this.#withdraw(this.#leaving).catch(() => undefined));
  }

  /** Looks at what the node's addresses and the pools' settings are now. */
  refresh(): void {
    this.#look(this.#entries.keys());
  }

  state(): readonly BgpAnnouncement[] {
    const { problem } = this;
    return [...this.#entries.values()].map((entry) => this.#describe(entry, problem));
  }

  figures(): BgpFigures {
    const { peers, routes } = this.#options.speaker.status();
    return {
      sessions: peers.map(({ address, state }) => ({ peer: address, isUp: state === "ESTABLISHED" })),
      routes: routes.held,
    };
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#leaving?.abort(new Error("stopped"));
    this.#cancelLook?.();
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#options.nextHops.stop();
    await this.#options.guard?.release();
    await this.#options.speaker.close();
  }

  #look(vips: Iterable<string>): void {
    for (const vip of vips) this.#dirty.add(vip);
    if (this.#isScheduled || this.#isStopped) return;
    this.#isScheduled = true;
    // What comes together is decided together, in the same turn.
    queueMicrotask(() => {
      this.#isScheduled = false;
      if (!this.#isStopped) this.#settle();
    });
  }

  #settle(): void {
    for (const vip of this.#dirty) this.#decide(vip);
    this.#dirty.clear();
    void this.#publish();
    this.#lookAgainLater();
    this.#options.onChange();
  }

  #decide(vip: string): void {
    const entry = this.#entries.get(vip);
    if (entry === undefined) return;
    const { node, view, clock, settingsOf, log } = this.#options;
    const { ability } = entry;
    const { state, decision } = decide(entry.state, {
      own: ability,
      peers: view.others(vip, node),
      knowsPeers: view.isLoaded,
      whenAllDown: settingsOf(ability.vipPool).whenAllDown,
      nowMs: clock.nowMs(),
      epochMs: clock.epochMs(),
    });
    this.#entries.set(vip, { ability, state, decision });
    const { announce, reason } = decision;
    if (announce !== entry.decision.announce)
      log.info(announce ? "VIP is announced" : "VIP is withdrawn", { vip, ...(reason !== "" && { reason }) });
  }

  /** Damping ends at its time, whether anything happens or not. */
  #lookAgainLater(): void {
    this.#cancelLook?.();
    const waiting = [...this.#entries].filter(([, { decision }]) => decision.againInMs !== undefined);
    if (waiting.length === 0) return;
    const inMs = Math.min(...waiting.map(([, { decision }]) => decision.againInMs ?? 0));
    this.#cancelLook = this.#options.clock.after(inMs, () => this.#look(waiting.map(([vip]) => vip)));
  }

  /** Hands over the whole set if it is another one. Resolves when the daemon has it; rejects when it can't have it now. */
  async #publish(): Promise<void> {
    const { speaker, guard, nextHops, log } = this.#options;
    // What an earlier process announced must not be withdrawn only because it is not known yet what there is to announce,
    // or where packets go.
    if (!this.#isTold || !nextHops.isSettled) return;
    const announced = this.#phase === "withdrawn" ? [] : this.#announced();
    const routes = routesOf(announced, { shutdown: this.#phase === "leaving" });
    const text = JSON.stringify(routes);
    if (text === this.#published) return;
    this.#published = text;
    // First who watches over them, so that none is announced of which nobody knows.
    guard?.hold(routes);
    try {
      await speaker.announce(routes.map(withoutMark));
    } catch (error) {
      // It goes on trying, and its status says why.
      log.warn("routes could not be announced so far", { routes: routes.length, reason: (error as Error).message });
    }
  }

  #announced(): readonly AnnouncedVip[] {
    return [...this.#entries.values()].flatMap(({ ability: { vip, vipPool, kernelOnly }, decision }) => {
      const settings = this.#options.settingsOf(vipPool);
      const nextHop = this.#nextHop(vip as IpAddress, settings);
      if (!decision.announce || nextHop === undefined || isLocalOnly(vip)) return [];
      return [{ vip: vip as IpAddress, settings, nextHop, kernelOnly }];
    });
  }

  #nextHop(vip: IpAddress, settings: RouteSettings): IpAddress | undefined {
    const family = ipFamily(vip);
    const wanted = nextHopSetting(settings, family);
    return wanted === "self" ? this.#options.nextHops.of(family) : (wanted as IpAddress);
  }

  async #withdraw(leaving: AbortController): Promise<void> {
    const { clock, log, withdrawWaitMs, speaker } = this.#options;
    const { signal } = leaving;
    const vips = this.#announced().length;
    if (vips > 0 && this.#phase === "announcing") {
      log.info("VIPs are announced with 65535:0, then withdrawn", { vips, waitMs: withdrawWaitMs });
      this.#phase = "leaving";
      this.#settle();
      await delay(clock, withdrawWaitMs, signal);
    }
    this.#phase = "withdrawn";
    const heard = this.#publish();
    this.#options.onChange();
    const late = delay(clock, WITHDRAW_DEADLINE_MS, signal).catch(() => undefined);
    await Promise.race([heard, late]);
    const { held } = speaker.status().routes;
    if (held > 0) log.warn("routes could not be withdrawn in time", { routes: held });
  }

  #describe({ ability, state, decision }: Entry, problem: string): BgpAnnouncement {
    const { vip, loadBalancerId, vipPool } = ability;
    const settings = this.#options.settingsOf(vipPool);
    const nextHop = this.#nextHop(vip as IpAddress, settings);
    const why = this.#whyNot(vip, nextHop) ?? (decision.announce ? problem : decision.reason);
    const announced = decision.announce && why === "";
    const communities = communitiesOf(settings, this.#phase === "leaving");
    const isUp = problem === "" && this.#phase !== "withdrawn";
    return {
      vip,
      loadBalancerId,
      announced,
      reason: announced ? decision.reason : why,
      prefix: prefixOf(vip as IpAddress, settings),
      ...(nextHop !== undefined && { nextHop }),
      ...(communities.length > 0 && { communities }),
      // Who is not heard of serves nobody, whatever it could.
      canServe: ability.canServe && isUp,
      canAnswer: ability.canAnswer && isUp,
      ...(state.servedUntilMs !== undefined && { servedUntilMs: state.servedUntilMs }),
    };
  }

  #whyNot(vip: string, nextHop: IpAddress | undefined): string | undefined {
    if (this.#phase === "withdrawn") return "node draining";
    if (isLocalOnly(vip)) return "a loopback address: only this host can reach it";
    if (nextHop !== undefined) return undefined;
    const { router } = this.#options.nextHops;
    const key = ipFamily(vip as IpAddress) === "IPV4" ? "nextHop" : "nextHopV6";
    return router === undefined
      ? `no router is known so far, and bgp.${key} is self`
      : `this host has no ${key === "nextHop" ? "IPv4" : "IPv6"} address towards ${router}; give it one, or set bgp.${key}`;
  }
}

const UNDECIDED: Decision = { announce: false, reason: "" };

const isLocalOnly = (vip: string): boolean => ipScope(vip as IpAddress) === "loopback";

function withoutMark(guarded: GuardedRoute): Route {
  const { kernelOnly: _, ...route } = guarded;
  return route;
}
