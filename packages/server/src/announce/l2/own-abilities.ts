import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import type { VipAbility } from "../ability.ts";
import { ForeignAddresses } from "./foreign-addresses.ts";
import type { LinkAddresses } from "./link-addresses.ts";
import { LinkWatch } from "./link-watch.ts";
import type { LinkReading } from "./link.ts";
import type { NodeClaims } from "./ownership-view.ts";

export interface OwnAbilitiesOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly addresses: LinkAddresses;
  readonly readLink: (device: string) => LinkReading;
  /** On which interface the VIPs of a pool are announced. */
  readonly interfaceOf: (vipPool: string) => string | undefined;
  /** Whether this process has put the VIP on the link itself. */
  readonly isHeld: (vip: string) => boolean;
  readonly keepLeftovers: boolean;
  /** What this node could take has possibly changed. */
  readonly onChange: () => void;
}

interface Own {
  readonly ability: VipAbility;
  readonly device: string | undefined;
  /** Why this node can't have it, whatever it could serve; empty when it can. */
  readonly hindrance: string;
  /** Since when it can serve it; undefined: it can't. */
  readonly ableSinceMs: number | undefined;
}

/** Which VIPs this node could take: what it can serve, unless draining, the interface or the host stand against it. */
export class OwnAbilities {
  readonly #options: OwnAbilitiesOptions;
  readonly #links: LinkWatch;
  readonly #foreign: ForeignAddresses;
  #own: ReadonlyMap<string, Own> = new Map();
  #isDraining = false;

  constructor(options: OwnAbilitiesOptions) {
    const { clock, log, addresses, isHeld, keepLeftovers } = options;
    this.#options = options;
    const onChange = (): void => this.#judge([...this.#own.values()].map(({ ability }) => ability));
    this.#foreign = new ForeignAddresses({ clock, addresses, isHeld, keepLeftovers, onChange });
    this.#links = new LinkWatch({
      clock,
      readLink: options.readLink,
      onChange: (device, reason) => {
        log[reason === "" ? "info" : "warn"](reason || "interface can be used again", { interface: device });
        onChange();
      },
    });
  }

  apply(abilities: readonly VipAbility[]): void {
    const devices = abilities.map(({ vipPool }) => this.#options.interfaceOf(vipPool));
    this.#links.watch(new Set(devices.filter((device) => device !== undefined)));
    this.#foreign.watch(new Set(abilities.map(({ vip }) => vip)));
    this.#judge(abilities);
  }

  setDraining(draining: boolean): void {
    this.#isDraining = draining;
    this.#judge([...this.#own.values()].map(({ ability }) => ability));
  }

  /** All VIPs that are to be announced on a link. */
  get vips(): Iterable<string> {
    return this.#own.keys();
  }

  /** Undefined: it is not to be announced any more. */
  get(vip: string): VipAbility | undefined {
    return this.#own.get(vip)?.ability;
  }

  device(vip: string): string | undefined {
    return this.#own.get(vip)?.device;
  }

  /** Why this node can't serve a VIP; empty when it can. */
  reason(vip: string): string {
    const own = this.#own.get(vip);
    return own === undefined ? "its load balancer is gone" : own.hindrance || own.ability.reason;
  }

  ableSinceMs(vip: string): number | undefined {
    return this.#own.get(vip)?.ableSinceMs;
  }

  /** Whether clients would at least get a reset here, or a 503. */
  answers(vip: string): boolean {
    const own = this.#own.get(vip);
    return own !== undefined && own.ableSinceMs === undefined && own.hindrance === "" && own.ability.canAnswer;
  }

  /** For the other nodes. */
  claims(): NodeClaims {
    const vips = [...this.#own.keys()];
    return {
      serves: vips.filter((vip) => this.ableSinceMs(vip) !== undefined),
      answers: vips.filter((vip) => this.answers(vip)),
    };
  }

  async stop(): Promise<void> {
    this.#links.stop();
    await this.#foreign.stop();
  }

  #judge(abilities: readonly VipAbility[]): void {
    const nowMs = this.#options.clock.nowMs();
    this.#own = new Map(
      abilities.map((ability) => {
        const { vip } = ability;
        const device = this.#options.interfaceOf(ability.vipPool);
        const hindrance = this.#hindrance(ability, device);
        const serves = ability.canServe && hindrance === "";
        const ableSinceMs = serves ? (this.ableSinceMs(vip) ?? nowMs) : undefined;
        return [vip, { ability, device, hindrance, ableSinceMs }];
      }),
    );
    this.#options.onChange();
  }

  #hindrance({ vip, vipPool }: VipAbility, device: string | undefined): string {
    if (this.#isDraining) return "node draining";
    if (device === undefined) return `VIP pool ${vipPool} names no interface`;
    return this.#links.reason(device) || this.#foreign.reason(vip);
  }
}
