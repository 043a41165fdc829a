/**
 * Keeps VIPs on their interfaces while the lease allows it, and not a moment longer. It decides nothing: what is held is
 * said by `hold` and `drop`, until when by the lease.
 */
import type { Cancel, Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import type { LinkAddresses } from "./link-addresses.ts";
import type { NeighbourNotice } from "./neighbour-notice.ts";
import { endsInTime, giveUpAtMs, lifetimeS, mayAct, SWEEP_MS, type Tenure } from "./tenure.ts";

export interface LinkHolderOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly addresses: LinkAddresses;
  readonly notice: NeighbourNotice;
  /** The lease as it stands; undefined: there is none. */
  readonly tenure: () => Tenure | undefined;
}

interface Hold {
  readonly vip: string;
  readonly device: string;
  /** Not on the link before. */
  readonly fromMs: number;
  /** When the kernel takes the address away, at the earliest; 0: it is not there. */
  endsAtMs: number;
  /** When it is gone at the latest, whatever fails. */
  goneAtMs: number;
  problem: string;
  quiet: Cancel | undefined;
}

/** What is so of a VIP that is held. */
export interface HoldState {
  readonly isOnLink: boolean;
  /** Why it is not on the link; empty when it is. */
  readonly reason: string;
}

/** VIPs that may be put on the link within so long of each other are put there by one process. */
const TOGETHER_MS = 20;
/** Renewing for less than this is not worth a process. */
const LEAST_GAIN_MS = 100;

/** VIPs that this node holds, on their interfaces. */
export class LinkHolder {
  readonly #options: LinkHolderOptions;
  readonly #holds = new Map<string, Hold>();
  /** Commands run one after the other, so that none overtakes another. */
  #last: Promise<unknown> = Promise.resolve();
  #giveUpTimer: Cancel | undefined;
  #isRefreshAsked = false;

  constructor(options: LinkHolderOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#holds.size === 0;
  }

  /** The interface on which a VIP is held; undefined: it is not. */
  device(vip: string): string | undefined {
    return this.#holds.get(vip)?.device;
  }

  state(vip: string): HoldState | undefined {
    const hold = this.#holds.get(vip);
    if (hold === undefined) return undefined;
    const nowMs = this.#options.clock.nowMs();
    if (hold.endsAtMs > nowMs) return { isOnLink: true, reason: "" };
    const waits = hold.fromMs > nowMs ? "the node before this one may have it for some milliseconds more" : "";
    const lost = "the store has not renewed this node's lease: given up before another node may have it";
    return { isOnLink: false, reason: hold.problem || waits || lost };
  }

  /** Puts a VIP on the link as soon as `earliestMs` has come, or a little later, together with others. */
  hold(vip: string, device: string, earliestMs: number): void {
    if (this.#holds.has(vip)) return;
    const nowMs = this.#options.clock.nowMs();
    const fromMs = earliestMs <= nowMs ? nowMs : Math.ceil(earliestMs / TOGETHER_MS) * TOGETHER_MS;
    this.#holds.set(vip, { vip, device, fromMs, endsAtMs: 0, goneAtMs: 0, problem: "", quiet: undefined });
    const waitMs = fromMs - nowMs;
    if (waitMs <= 0) this.refresh();
    else this.#options.clock.after(waitMs, () => this.refresh());
  }

  /** Takes VIPs off the link; resolves when they are certainly gone. */
  async drop(vips: readonly string[]): Promise<void> {
    const dropped = vips.flatMap((vip) => this.#holds.get(vip) ?? []);
    for (const hold of dropped) {
      hold.quiet?.();
      this.#holds.delete(hold.vip);
    }
    await this.#enqueue(() => this.#takeOff(dropped));
    await this.#untilGone(dropped);
  }

  /** The lease was renewed, or something is to be put on the link: renews all. Calls that come together are one. */
  refresh(): void {
    this.#armGiveUp();
    if (this.#isRefreshAsked) return;
    this.#isRefreshAsked = true;
    void this.#enqueue(() => {
      this.#isRefreshAsked = false;
      return this.#refresh();
    });
  }

  /** Ends without touching what is on the link; the kernel does when its time is over. */
  async stop(): Promise<void> {
    this.#giveUpTimer?.();
    for (const hold of this.#holds.values()) hold.quiet?.();
    this.#holds.clear();
    await this.#last;
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    const next = this.#last.then(work);
    this.#last = next.catch((error: unknown) => this.#options.log.error("a change of addresses failed", { error }));
    return next;
  }

  async #refresh(): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    const seconds = this.#lifetimeS(nowMs);
    const due = [...this.#holds.values()].filter(
      ({ fromMs, endsAtMs }) => fromMs <= nowMs && endsAtMs + LEAST_GAIN_MS < nowMs + seconds * 1000,
    );
    if (seconds > 0 && due.length > 0) await this.#keep(due, seconds);
  }

  #lifetimeS(nowMs: number): number {
    const tenure = this.#options.tenure();
    return tenure === undefined ? 0 : lifetimeS(tenure, nowMs);
  }

  /** Gives them so many seconds. If that took so long that they would last for too long, gives them less, or none. */
  async #keep(holds: readonly Hold[], seconds: number): Promise<void> {
    const { clock, tenure: readTenure, log } = this.#options;
    for (const [device, some] of byDevice(holds)) await this.#keepOn(device, some, seconds);
    const tenure = readTenure();
    const doneMs = clock.nowMs();
    if (tenure !== undefined && endsInTime(tenure, seconds, doneMs)) return;
    const less = Math.min(this.#lifetimeS(doneMs), seconds - 1);
    if (less > 0) return this.#keep(holds, less);
    log.warn("this host is too slow to change addresses in time: VIPs are off the link for a moment", {
      vips: holds.length,
    });
    await this.#takeOff(holds);
  }

  async #keepOn(device: string, holds: readonly Hold[], seconds: number): Promise<void> {
    const { clock, addresses, notice, log } = this.#options;
    const startedMs = clock.nowMs();
    for (const hold of holds) hold.goneAtMs = Number.POSITIVE_INFINITY;
    const failures = await addresses.keep(
      device,
      holds.map(({ vip }) => vip),
      seconds,
    );
    const doneMs = clock.nowMs();
    for (const hold of holds) {
      hold.goneAtMs = doneMs + seconds * 1000 + SWEEP_MS;
      const problem = failures.get(hold.vip) ?? "";
      const wasOn = hold.endsAtMs > startedMs;
      if (problem !== "" && problem !== hold.problem)
        log.warn("VIP cannot be put on the link", { vip: hold.vip, interface: device, reason: problem });
      hold.problem = problem;
      if (problem !== "") continue;
      hold.endsAtMs = startedMs + seconds * 1000;
      if (wasOn || this.#holds.get(hold.vip) !== hold) continue;
      log.info("VIP taken onto the link", { vip: hold.vip, interface: device });
      hold.quiet?.();
      hold.quiet = notice.tell(device, hold.vip);
    }
  }

  async #takeOff(holds: readonly Hold[]): Promise<void> {
    const { clock, addresses, log } = this.#options;
    for (const [device, some] of byDevice(holds.filter(({ goneAtMs }) => goneAtMs > clock.nowMs()))) {
      const failures = await addresses.remove(
        device,
        some.map(({ vip }) => vip),
      );
      for (const hold of some) {
        hold.quiet?.();
        hold.endsAtMs = 0;
        const reason = failures.get(hold.vip);
        if (reason === undefined) hold.goneAtMs = 0;
        if (reason === undefined) log.info("VIP taken off the link", { vip: hold.vip, interface: device });
        else
          log.warn("VIP cannot be taken off the link; the kernel does it when its time is over", {
            vip: hold.vip,
            interface: device,
            reason,
          });
      }
    }
  }

  #untilGone(holds: readonly Hold[]): Promise<void> {
    const { clock } = this.#options;
    const waitMs = Math.max(0, ...holds.map(({ goneAtMs }) => goneAtMs)) - clock.nowMs();
    return waitMs <= 0 ? Promise.resolve() : new Promise((resolve) => void clock.after(waitMs, resolve));
  }

  /** The lease may end soon: better by our own hand, at once for all, than by the kernel's second hand. */
  #armGiveUp(): void {
    this.#giveUpTimer?.();
    const tenure = this.#options.tenure();
    if (tenure === undefined) return;
    const waitMs = giveUpAtMs(tenure) - this.#options.clock.nowMs();
    this.#giveUpTimer = this.#options.clock.after(Math.max(0, waitMs), () => this.#giveUp());
  }

  #giveUp(): void {
    const { clock, log, tenure } = this.#options;
    const held = [...this.#holds.values()];
    if (held.length === 0 || mayAct(tenure(), clock.nowMs())) return;
    log.warn("the store does not renew this node's lease: its VIPs are given up", { vips: held.length });
    void this.#enqueue(() => this.#takeOff(held));
  }
}

function byDevice(holds: readonly Hold[]): ReadonlyMap<string, readonly Hold[]> {
  return Map.groupBy(holds, ({ device }) => device);
}
