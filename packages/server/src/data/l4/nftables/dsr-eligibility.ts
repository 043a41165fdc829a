/**
 * Which listeners can be served by direct server return, and why not the others. Pure.
 */
import { familyBits, ipFamily, type IpAddress, ipToBigInt } from "@fiberlb/types";

import type { BackendUnit, ListenerUnit, PoolUnit } from "../../../snapshot/snapshot.ts";

/** A link that this host is on. */
export interface Link {
  readonly device: string;
  /** This host's address there, and how many of its leading bits the link's hosts have in common. */
  readonly address: string;
  readonly prefixLength: number;
}

/** Why a pool cannot have its listener served by direct server return; undefined when it can. */
export function whyNotDsr(listener: ListenerUnit, pool: PoolUnit, links: readonly Link[]): string | undefined {
  const { name, algorithm, sourceIpPersistence } = pool;
  if (!sourceIpPersistence && algorithm !== "MAGLEV" && algorithm !== "IP_HASH") {
    return `pool ${name} has algorithm ${algorithm}: with forwarding DSR all nodes must choose alike from the packet alone; use MAGLEV, IP_HASH or session persistence SOURCE_IP`;
  }
  if (listener.connectionLimit > 0) {
    return "connection_limit takes a count of open connections; with forwarding DSR their end is not seen";
  }
  return backendReason(listener, pool, links);
}

/** The device that all of a pool's backends are on; undefined when there is none, or more than one. */
export function deviceOf({ backends }: PoolUnit, links: readonly Link[]): string | undefined {
  const devices = new Set(
    backends.flatMap(({ address }) => (address === undefined ? [] : [linkOf(address, links)?.device])),
  );
  return devices.size === 1 ? [...devices][0] : undefined;
}

/** What the kernel allows in a device's name and nft in a chain's. */
const NAME = /^[\w.-]+$/;

/** Devices that packets may come in by. */
export function ingressDevices(links: readonly Link[]): readonly string[] {
  return [...new Set(links.map(({ device }) => device))].filter((device) => NAME.test(device)).toSorted();
}

function backendReason({ port: at }: ListenerUnit, pool: PoolUnit, links: readonly Link[]): string | undefined {
  const reasonOf = ({ name, address, port }: BackendUnit): string | undefined => {
    if (port !== at) {
      return `backend ${name} has port ${port}: with forwarding DSR packets keep the listener's port, ${at}; use that`;
    }
    if (address === undefined || linkOf(address, links) !== undefined) return undefined;
    return `backend ${name} (${address}) is on no link of this host: forwarding DSR reaches hosts of its own subnets only`;
  };
  const reason = pool.backends.map(reasonOf).find((one) => one !== undefined);
  if (reason !== undefined) return reason;
  const isApart = pool.backends.some(({ address }) => address !== undefined) && deviceOf(pool, links) === undefined;
  return isApart ? `pool ${pool.name} has backends on more than one device of this host` : undefined;
}

/** The narrowest link wins, as it does in a routing table. */
function linkOf(address: string, links: readonly Link[]): Link | undefined {
  return links
    .filter((link) => isOnLink(address as IpAddress, link))
    .toSorted((a, b) => b.prefixLength - a.prefixLength)[0];
}

/** Whether an address is of the subnet of a link. */
export function isOnLink(address: IpAddress, { address: own, prefixLength }: Link): boolean {
  const family = ipFamily(address);
  if (ipFamily(own as IpAddress) !== family) return false;
  const rest = BigInt(familyBits(family) - prefixLength);
  return ipToBigInt(address) >> rest === ipToBigInt(own as IpAddress) >> rest;
}
