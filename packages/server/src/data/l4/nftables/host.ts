import { readFileSync } from "node:fs";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";

import type { Link } from "./dsr-eligibility.ts";
import type { HostFacts } from "./eligibility.ts";

/**
 * What is so on this host now.
 * @param isOurs VIPs that are on an interface because they are ours at the moment: no addresses of the host
 */
export function readHost(isOurs: (address: string) => boolean = () => false): HostFacts {
  const all = Object.entries(networkInterfaces()).flatMap(([device, list]) =>
    (list ?? []).filter(({ address }) => !isOurs(address)).map((info) => ({ device, ...info })),
  );
  return {
    addresses: new Map(all.map(({ address, device }) => [address, device])),
    links: all.flatMap(linkOf),
    forwards: {
      ipv4: isOn("/proc/sys/net/ipv4/ip_forward"),
      ipv6: isOn("/proc/sys/net/ipv6/conf/all/forwarding"),
    },
  };
}

/** Every host has link-local addresses on every link; they tell nothing. */
function linkOf(info: NetworkInterfaceInfo & { readonly device: string }): Link[] {
  const { device, address, cidr, internal } = info;
  if (internal || cidr === null || address.startsWith("fe80:")) return [];
  // An address with a label (`eth0:1`) is listed under that.
  const [name = device] = device.split(":");
  return [{ device: name, address, prefixLength: Number(cidr.split("/")[1]) }];
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
