import type { Cancel, Clock } from "../../clock.ts";
import type { LinkReading } from "./link.ts";

/** A cable that is pulled is noticed within so long. */
const POLL_MS = 250;

export interface LinkWatchOptions {
  readonly clock: Clock;
  readonly readLink: (device: string) => LinkReading;
  /** An interface can be used now, or can't. */
  readonly onChange: (device: string, reason: string) => void;
}

/** Which interfaces can be used. */
export class LinkWatch {
  readonly #options: LinkWatchOptions;
  /** By interface, why it can't be used; empty when it can. */
  #reasons = new Map<string, string>();
  #timer: Cancel | undefined;

  constructor(options: LinkWatchOptions) {
    this.#options = options;
    this.#poll();
  }

  /** Looks after these from now on. */
  watch(devices: ReadonlySet<string>): void {
    this.#reasons = new Map([...devices].map((device) => [device, this.#reasons.get(device) ?? this.#read(device)]));
  }

  /** Why nothing can be announced on an interface; empty when it can. */
  reason(device: string): string {
    return this.#reasons.get(device) ?? "";
  }

  stop(): void {
    this.#timer?.();
  }

  #poll(): void {
    this.#timer = this.#options.clock.after(POLL_MS, () => this.#poll());
    for (const [device, before] of this.#reasons) {
      const reason = this.#read(device);
      if (reason === before) continue;
      this.#reasons.set(device, reason);
      this.#options.onChange(device, reason);
    }
  }

  #read(device: string): string {
    const reading = this.#options.readLink(device);
    return reading.ok ? "" : reading.reason;
  }
}
