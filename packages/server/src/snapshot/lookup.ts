import { lookup, Resolver } from "node:dns/promises";
import { readFile } from "node:fs/promises";

import { addressesInHosts } from "./hosts-file.ts";

/** One address of a name. */
export interface AddressRecord {
  readonly address: string;
  /** How long it may be used; undefined when the source does not say. */
  readonly ttlS?: number;
}

/** Asks for all addresses of a name. Rejects, with a reason for people, when there is none. */
export type NameLookup = (name: string) => Promise<readonly AddressRecord[]>;

const QUERY_TIMEOUT_MS = 2000;
const QUERY_TRIES = 2;

/**
 * The host's way to look up a name, with lifetimes: the hosts file first, then DNS (A and AAAA), then the system's own
 * resolver (nsswitch: search domains, mDNS), which tells no lifetime.
 */
export function createSystemLookup(hostsFile = "/etc/hosts"): NameLookup {
  const dns = new Resolver({ timeout: QUERY_TIMEOUT_MS, tries: QUERY_TRIES });
  return async (name) => {
    const fixed = addressesInHosts(await readHosts(hostsFile), name);
    if (fixed.length > 0) return fixed.map((address) => ({ address }));
    const records = await queryDns(dns, name);
    return records.length > 0 ? records : askSystem(name);
  };
}

/** A host without a hosts file is no error. */
const readHosts = (path: string): Promise<string> => readFile(path, "utf8").catch(() => "");

/** A and AAAA records; none when DNS knows none or cannot be asked, because the system's resolver then explains why. */
async function queryDns(dns: Resolver, name: string): Promise<AddressRecord[]> {
  const answers = await Promise.allSettled([dns.resolve4(name, { ttl: true }), dns.resolve6(name, { ttl: true })]);
  return answers
    .flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []))
    .map(({ address, ttl }) => ({ address, ttlS: ttl }));
}

async function askSystem(name: string): Promise<AddressRecord[]> {
  try {
    const found = await lookup(name, { all: true, order: "verbatim" });
    return found.map(({ address }) => ({ address }));
  } catch (error) {
    throw new Error(systemReasons[(error as NodeJS.ErrnoException).code ?? ""] ?? (error as Error).message, {
      cause: error,
    });
  }
}

const systemReasons: Readonly<Record<string, string>> = {
  ENOTFOUND: "no such name",
  EAI_NODATA: "the name has no address",
  EAI_AGAIN: "no name server answers",
  EAI_FAIL: "the name server failed",
};
