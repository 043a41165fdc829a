import type { Cancel, Clock } from "../../clock.ts";
import { isOurs } from "./ip-batch.ts";
import type { LinkAddresses } from "./link-addresses.ts";

/** What somebody else does to addresses is noticed within so long. */
const RECHECK_MS = 5000;

export interface ForeignAddressesOptions {
  readonly clock: Clock;
  readonly addresses: LinkAddresses;
  /** Whether this process has put the VIP there itself. */
  readonly isHeld: (vip: string) => boolean;
  /** Leave what a process before this one has put there: this one goes on with it. */
  readonly keepLeftovers: boolean;
  /** What is known of some VIP has changed. */
  readonly onChange: () => void;
}

/**
 * VIPs that this host has already, and not from us: neighbours would be answered here whoever owns them. What a process
 * of ours has left behind is taken away.
 */
export class ForeignAddresses {
  readonly #options: ForeignAddressesOptions;
  #vips: ReadonlySet<string> = new Set();
  /** By VIP, why it can't be announced; empty when it can. Absent: not looked at so far. */
  #reasons: ReadonlyMap<string, string> = new Map();
  #timer: Cancel | undefined;
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: ForeignAddressesOptions) {
    this.#options = options;
  }

  /** Why this node can't have a VIP; empty when it can. */
  reason(vip: string): string {
    return this.#reasons.get(vip) ?? "the addresses of this host have not been looked at so far";
  }

  /** Looks after these from now on. */
  watch(vips: ReadonlySet<string>): void {
    const isNew = [...vips].some((vip) => !this.#vips.has(vip));
    this.#vips = vips;
    if (isNew) this.#check();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.();
    await this.#running;
  }

  #check(): void {
    if (this.#isStopped) return;
    this.#timer?.();
    // After the one that runs: that may have begun before the newest VIPs were known.
    const before = this.#running ?? Promise.resolve();
    const running = before
      .then(() => this.#look())
      .finally(() => {
        if (this.#running !== running) return;
        this.#running = undefined;
        if (!this.#isStopped) this.#timer = this.#options.clock.after(RECHECK_MS, () => this.#check());
      });
    this.#running = running;
  }

  async #look(): Promise<void> {
    const vips = this.#vips;
    const reasons = await this.#judge(vips).catch((error: unknown) => {
      const reason = `the addresses of this host cannot be read: ${(error as Error).message}`;
      return new Map([...vips].map((vip) => [vip, reason]));
    });
    const hasChanged = [...reasons].some(([vip, reason]) => this.#reasons.get(vip) !== reason);
    this.#reasons = reasons;
    if (hasChanged && !this.#isStopped) this.#options.onChange();
  }

  async #judge(vips: ReadonlySet<string>): Promise<ReadonlyMap<string, string>> {
    const { addresses, isHeld, keepLeftovers } = this.#options;
    const reasons = new Map([...vips].map((vip) => [vip, ""]));
    for (const found of (await addresses.list()).filter(({ address }) => vips.has(address))) {
      const { address: vip, device } = found;
      if (!isOurs(found))
        reasons.set(
          vip,
          `this node has ${vip} on ${device}, put there by somebody else: remove it, or nobody could own it alone`,
        );
      else if (!isHeld(vip) && !keepLeftovers) await addresses.remove(device, [vip]);
    }
    return reasons;
  }
}
