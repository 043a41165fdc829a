import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";

import type { HostFacts } from "./eligibility.ts";

/** What is so on this host now. */
export function readHost(): HostFacts {
  const addresses = Object.entries(networkInterfaces()).flatMap(([name, list]) =>
    (list ?? []).map(({ address }) => [address, name] as const),
  );
  return {
    addresses: new Map(addresses),
    forwards: {
      ipv4: isOn("/proc/sys/net/ipv4/ip_forward"),
      ipv6: isOn("/proc/sys/net/ipv6/conf/all/forwarding"),
    },
  };
}

/** A kernel without the family has no such file. */
function isOn(file: string): boolean {
  try {
    return readFileSync(file, "utf8").trim() !== "0";
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}
