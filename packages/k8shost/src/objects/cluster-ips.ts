import { absent, put, remove, type Store } from "@fiberlb/store";
import { exhausted, type IpAddress, ipFromBigInt, ipToBigInt, parseCidr, parseIp } from "@fiberlb/types";

import { CLUSTER_IP_RANGE, clusterIpKey } from "./keys.ts";
import type { Companions } from "./object-store.ts";

/** Addresses of Services. */
export interface ClusterIpOptions {
  /** IPv4 network that they come from. Default 10.96.0.0/16. */
  readonly cidr?: string;
  /** From 0 up to 1. */
  readonly fraction: () => number;
}

const DEFAULT_CIDR = "10.96.0.0/16";
/** Guesses before the taken addresses are looked at: with half of them taken, one of 256 does not find one. */
const GUESSES = 8;

/**
 * Gives out cluster IPs. An address is taken by a key of its own, written in the transaction that writes the Service, so two
 * Services cannot have the same, whoever serves them.
 */
export class ClusterIps {
  readonly cidr: string;
  readonly #store: Store;
  readonly #fraction: () => number;
  readonly #first: bigint;
  readonly #count: number;

  constructor(store: Store, { cidr = DEFAULT_CIDR, fraction }: ClusterIpOptions) {
    const parsed = parseCidr(cidr);
    if (!parsed.ok || parsed.value.includes(":"))
      throw new Error(
        `Cannot give out cluster IPs: the range must be an IPv4 network such as ${DEFAULT_CIDR}, not ${cidr}`,
      );
    const [base = "", bits = "32"] = parsed.value.split("/");
    this.cidr = parsed.value;
    this.#store = store;
    this.#fraction = fraction;
    const size = 2 ** (32 - Number(bits));
    if (size < 4) throw new Error(`Cannot give out cluster IPs: ${cidr} has no room; use a /30 or larger`);
    // Without the network's own address and its broadcast address.
    this.#first = ipToBigInt(base as IpAddress) + 1n;
    this.#count = size - 2;
  }

  /** Whether a Service may ask for it. */
  contains(ip: string): boolean {
    const parsed = parseIp(ip);
    if (!parsed.ok || ip.includes(":")) return false;
    const index = ipToBigInt(parsed.value) - this.#first;
    return index >= 0n && index < BigInt(this.#count);
  }

  /** An address that is likely free; whether it is shows when it is taken. @throws DomainError `exhausted` */
  async suggest(): Promise<IpAddress> {
    for (let guess = 0; guess < GUESSES; guess++) {
      const ip = this.#at(Math.floor(this.#fraction() * this.#count));
      if (!(await this.isTaken(ip))) return ip;
    }
    const { kvs } = await this.#store.range({ ...CLUSTER_IP_RANGE, keysOnly: true });
    const taken = new Set(kvs.map(({ key }) => key));
    const start = Math.floor(this.#fraction() * this.#count);
    for (let step = 0; step < this.#count; step++) {
      const ip = this.#at((start + step) % this.#count);
      if (!taken.has(clusterIpKey(ip))) return ip;
    }
    throw exhausted(`cluster IP range ${this.cidr}`, `all ${this.#count} addresses are in use`);
  }

  async isTaken(ip: string): Promise<boolean> {
    return (await this.#store.get(clusterIpKey(ip))).kv !== undefined;
  }

  #at(index: number): IpAddress {
    return ipFromBigInt(this.#first + BigInt(index), "IPV4");
  }
}

/** Takes the address together with the write of the Service of this uid, unless somebody has it. */
export const takeIp = (ip: string, uid: string): Companions => ({
  compare: [absent(clusterIpKey(ip))],
  success: [put(clusterIpKey(ip), new TextEncoder().encode(uid))],
});

/** Gives the address back together with the end of the Service. */
export const releaseIp = (ip: string): Companions => ({ success: [remove(clusterIpKey(ip))] });
