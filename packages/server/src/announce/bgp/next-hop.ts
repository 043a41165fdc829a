import { createSocket } from "node:dgram";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";

import { type IpAddress, ipFamily, type IpFamily, ipScope, parseIp } from "@fiberlb/types";

import type { Cancel, Clock } from "../../clock.ts";

type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** How {@link NextHops} looks at the host. */
export interface NextHopsOptions {
  readonly clock: Clock;
  /** Called when an address of this host has become another one. */
  readonly onChange: () => void;
  /** The address from which packets to another would leave; undefined when there is no way. Default: asks the kernel. */
  readonly sourceTowards?: (address: IpAddress) => Promise<IpAddress | undefined>;
  /** Default: the real ones. */
  readonly interfaces?: () => Interfaces;
}

/** The host's addresses may change at any time, and nobody tells. */
const REFRESH_MS = 10_000;
const RETRY_MS = 1000;

/** Where routers reach this node: its own addresses towards them. */
export class NextHops {
  readonly #options: Required<NextHopsOptions>;
  readonly #known: Partial<Record<IpFamily, IpAddress>> = {};
  #routers: readonly IpAddress[] = [];
  #cancel: Cancel | undefined;
  #isSettled = false;
  #isStopped = false;

  constructor(options: NextHopsOptions) {
    this.#options = { sourceTowards, interfaces: networkInterfaces, ...options };
  }

  /** Whether it was ever looked: before, an address that is not known may be there all the same. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** This node's address of a family, as routers see it; undefined while there is none. */
  of(family: IpFamily): IpAddress | undefined {
    return this.#known[family];
  }

  /** For messages: the router that is to be reached. */
  get router(): IpAddress | undefined {
    return this.#routers[0];
  }

  /** Which routers there are, the first one counts; looks at once. */
  async follow(routers: readonly IpAddress[]): Promise<void> {
    if (this.#isSettled && routers.join() === this.#routers.join()) return;
    this.#routers = routers;
    await this.refresh();
  }

  /** Looks again, and from time to time afterwards. */
  async refresh(): Promise<void> {
    this.#cancel?.();
    const found = await this.#look();
    if (this.#isStopped) return;
    const isFirst = !this.#isSettled;
    this.#isSettled = true;
    const hasChanged = (["IPV4", "IPV6"] as const).filter((family) => this.#note(family, found[family])).length > 0;
    const isComplete = found.IPV4 !== undefined || found.IPV6 !== undefined;
    this.#cancel = this.#options.clock.after(isComplete ? REFRESH_MS : RETRY_MS, () => void this.refresh());
    if (hasChanged || isFirst) this.#options.onChange();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  /** A way that is lost for a moment leaves the address as it was: packets that come are still for us. */
  #note(family: IpFamily, address: IpAddress | undefined): boolean {
    if (address === undefined || address === this.#known[family]) return false;
    this.#known[family] = address;
    return true;
  }

  async #look(): Promise<Partial<Record<IpFamily, IpAddress>>> {
    const found: Partial<Record<IpFamily, IpAddress>> = {};
    for (const router of this.#routers) {
      const family = ipFamily(router);
      const address = found[family] ?? (await this.#options.sourceTowards(router));
      // A daemon on this host may be the router's only peer: its loopback address is of no use to anybody else.
      if (address === undefined || ipScope(address) === "loopback") continue;
      found[family] ??= address;
    }
    const [first] = Object.values(found);
    if (first === undefined) return found;
    const other = ipFamily(first) === "IPV4" ? "IPV6" : "IPV4";
    // Routes of one family may go over a session of the other: then the interface tells.
    const beside = found[other] ?? addressBeside(first, this.#options.interfaces());
    return { ...found, ...(beside !== undefined && { [other]: beside }) };
  }
}

/** The address of the other family on the interface that has this one; none that is good for its link only. */
export function addressBeside(address: IpAddress, interfaces: Interfaces): IpAddress | undefined {
  const wanted = ipFamily(address) === "IPV4" ? "IPv6" : "IPv4";
  const infos = Object.values(interfaces).find((list) => list?.some((info) => info.address === address));
  const fitting = (infos ?? []).filter(
    (info) => info.family === wanted && !info.address.startsWith("fe80:") && !info.address.startsWith("169.254."),
  );
  const parsed = parseIp(fitting[0]?.address ?? "");
  return parsed.ok ? parsed.value : undefined;
}

/** Where packets to a router would leave from; "connects" a UDP socket, which sends nothing and makes the kernel choose. */
export function sourceTowards(router: IpAddress): Promise<IpAddress | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(router.includes(":") ? "udp6" : "udp4");
    const end = (address?: string): void => {
      socket.close();
      const parsed = parseIp(address ?? "");
      resolve(parsed.ok ? parsed.value : undefined);
    };
    socket.once("error", () => end());
    // Any port does; 179 is BGP's.
    socket.connect(179, router, () => end(socket.address().address));
  });
}
