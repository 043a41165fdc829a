import { readFileSync } from "node:fs";

import { parseMac } from "./packets.ts";

/** An interface as it is now. */
export interface LinkState {
  readonly index: number;
  readonly mac: Uint8Array;
}

/** An interface that VIPs can be on, or why they can't. */
export type LinkReading =
  | { readonly ok: true; readonly link: LinkState }
  | { readonly ok: false; readonly reason: string };

/** `unknown` is what drivers say that don't tell (dummy, some tunnels). */
const WORKING = ["up", "unknown"];

/** How an interface is, from sysfs. Costs some microseconds. */
export function readLink(device: string, root = "/sys/class/net"): LinkReading {
  const read = (file: string): string => readFileSync(`${root}/${device}/${file}`, "utf8").trim();
  try {
    const state = read("operstate");
    if (!WORKING.includes(state)) return { ok: false, reason: `interface ${device} is ${state}` };
    return { ok: true, link: { index: Number(read("ifindex")), mac: parseMac(read("address")) } };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return { ok: false, reason: `interface ${device} does not exist on this node` };
    return { ok: false, reason: `interface ${device} cannot be used: ${message}` };
  }
}
