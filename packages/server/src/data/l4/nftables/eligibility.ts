/**
 * Which listeners the kernel can serve, and why not the others. Pure: what there is to know of the host comes in.
 */
import type { Algorithm, BackendUnit, ListenerUnit, PoolUnit, Unit } from "../../../snapshot/snapshot.ts";
import { type Link, whyNotDsr } from "./dsr-eligibility.ts";
import { familyOf } from "./family.ts";

/** What of the host matters to forwarding. */
export interface HostFacts {
  /** Interface by address, of all addresses of this host. */
  readonly addresses: ReadonlyMap<string, string>;
  /** Whether the kernel forwards packets at all (`net.ipv4.ip_forward`, `net.ipv6.conf.all.forwarding`). */
  readonly forwards: { readonly ipv4: boolean; readonly ipv6: boolean };
  /** Links that this host is on; absent: none, and then there is no direct server return. */
  readonly links?: readonly Link[];
}

/** Why a listener is not served by the kernel. */
export interface Ineligible {
  /** `listener`: it asks for what a kernel cannot do, and is user space's. `host`: this host is not ready. */
  readonly kind: "listener" | "host";
  readonly reason: string;
}

/** Turns of a weighted pool beyond which its map would be larger than any Maglev table that is chosen by itself. */
const MAX_TURNS = 655_373;

/** Why the kernel cannot serve a listener; undefined when it can. */
export function whyNotInKernel(unit: Unit, listener: ListenerUnit, host: HostFacts): Ineligible | undefined {
  const pool = unit.pools.find(({ id }) => id === listener.defaultPoolId);
  const reason =
    listenerReason(listener) ??
    vipReason(unit, host) ??
    (pool === undefined ? "it has no pool" : (poolReason(pool) ?? backendReason(unit, pool, host))) ??
    (pool?.forwarding === "DSR" ? whyNotDsr(listener, pool, host.links ?? []) : undefined);
  if (reason !== undefined) return { kind: "listener", reason };
  // Packets are sent on where they come in, and the host need not forward any.
  if (pool?.forwarding === "DSR") return undefined;
  const hostReason = forwardingReason(unit.vip, host);
  return hostReason === undefined ? undefined : { kind: "host", reason: hostReason };
}

/**
 * Whether a VIP is ours alone, so that whatever else listens on the host may be shut off there. One that some
 * interface has is also how the host itself is reached.
 */
export function isOwnVip(vip: string, { addresses }: HostFacts): boolean {
  const holder = addresses.get(vip);
  return !isLoopback(vip) && (holder === undefined || holder === LOOPBACK);
}

const LOOPBACK = "lo";

const isLoopback = (address: string): boolean => address.startsWith("127.") || address === "::1";

/** Parts of a listener, and of a pool, that take a look into what is sent, or a word of our own in it. */
const LISTENER_PARTS = { proxyProtocol: "accept_proxy_protocol", sniPolicies: "routing by SNI" };
const POOL_PARTS = { sendProxyProtocol: "send_proxy_protocol", outlierDetection: "outlier_detection" };

function partReason(of: object, parts: Readonly<Record<string, string>>): string | undefined {
  const part = Object.keys(parts).find((key) => Object.hasOwn(of, key));
  return part === undefined ? undefined : `${parts[part]} takes user space`;
}

function listenerReason(listener: ListenerUnit): string | undefined {
  const { protocol } = listener;
  if (protocol !== "TCP" && protocol !== "UDP") return `protocol ${protocol} is spoken in user space`;
  return partReason(listener, LISTENER_PARTS);
}

function vipReason({ vip }: Unit, host: HostFacts): string | undefined {
  if (isLoopback(vip)) return `VIP ${vip} is a loopback address`;
  return isOwnVip(vip, host) ? undefined : `VIP ${vip} is the host's own address, on ${host.addresses.get(vip)}`;
}

const STATEFUL: Readonly<Partial<Record<Algorithm, string>>> = {
  LEAST_CONNECTIONS: "which backend has the fewest connections is not known to the kernel",
  RANDOM: "which of two backends is less loaded is not known to the kernel",
};

function poolReason(pool: PoolUnit): string | undefined {
  const { name, algorithm, sourceIpPersistence } = pool;
  const why = sourceIpPersistence ? undefined : STATEFUL[algorithm];
  if (why !== undefined) return `pool ${name} has algorithm ${algorithm}: ${why}`;
  if (pool.slowStartMs > 0 && (algorithm === "ROUND_ROBIN" || algorithm === "WEIGHTED_ROUND_ROBIN")) {
    return `pool ${name} has slow_start_s, which takes a count of connections`;
  }
  if (algorithm === "WEIGHTED_ROUND_ROBIN" && pool.backends.reduce((sum, { weight }) => sum + weight, 0) > MAX_TURNS) {
    return `pool ${name} has weights of more than ${MAX_TURNS} together`;
  }
  const part = partReason(pool, POOL_PARTS);
  return part === undefined ? undefined : `pool ${name}: ${part}`;
}

function backendReason({ vip }: Unit, { backends }: PoolUnit, { addresses }: HostFacts): string | undefined {
  const reasonOf = ({ name, address, maxConnections }: BackendUnit): string | undefined => {
    if (maxConnections > 0) return `backend ${name} has max_connections, which takes a count of connections`;
    if (address === undefined) return undefined;
    if (isLoopback(address) || addresses.has(address)) return `backend ${name} is this host (${address})`;
    return familyOf(address) === familyOf(vip) ? undefined : `backend ${name} (${address}) is not of the VIP's family`;
  };
  for (const backend of backends) {
    const reason = reasonOf(backend);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function forwardingReason(vip: string, { forwards }: HostFacts): string | undefined {
  const isIpv6 = familyOf(vip).suffix === "6";
  if (isIpv6 ? forwards.ipv6 : forwards.ipv4) return undefined;
  const setting = isIpv6 ? "net.ipv6.conf.all.forwarding" : "net.ipv4.ip_forward";
  return `this host forwards no packets: ${setting} is 0; set it to 1 (sysctl -w ${setting}=1, and in /etc/sysctl.d)`;
}
