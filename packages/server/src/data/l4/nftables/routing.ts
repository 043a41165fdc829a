import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

import type { DataPlaneLog } from "../../data-plane.ts";
import type { HostFacts } from "./eligibility.ts";

/** `dataPlane.routeOthers`. */
export type RouteOthers = "auto" | "never" | "always";

/** How {@link createRoutingGuard} decides. */
export interface RoutingGuardOptions {
  readonly routeOthers: RouteOthers;
  /** Remembers what was seen, over restarts; absent: not remembered. */
  readonly stateFile?: string;
  readonly log: DataPlaneLog;
}

interface Seen {
  ipv4: boolean;
  ipv6: boolean;
}

/**
 * Of which families the host must forward nothing but what is a load balancer's. With `auto` those that it did not
 * forward when this node saw it once: forwarding was switched on for us, and must not make it a router for everybody. A
 * host that forwarded before us goes on doing so.
 */
export function createRoutingGuard(options: RoutingGuardOptions): (host: HostFacts) => Seen {
  const { routeOthers, stateFile, log } = options;
  if (routeOthers !== "auto") return () => ({ ipv4: routeOthers === "never", ipv6: routeOthers === "never" });
  const sawOff = stateFile === undefined ? { ipv4: false, ipv6: false } : read(stateFile, log);
  return ({ forwards }) => {
    const isNews = (!forwards.ipv4 && !sawOff.ipv4) || (!forwards.ipv6 && !sawOff.ipv6);
    sawOff.ipv4 ||= !forwards.ipv4;
    sawOff.ipv6 ||= !forwards.ipv6;
    if (isNews && stateFile !== undefined) write(stateFile, sawOff, log);
    return { ...sawOff };
  };
}

function read(file: string, log: DataPlaneLog): Seen {
  try {
    const { ipv4, ipv6 } = JSON.parse(readFileSync(file, "utf8")) as Seen;
    return { ipv4, ipv6 };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT")
      log.warn("cannot read whether this host was a router before; it is taken for one", { file, error });
    return { ipv4: false, ipv6: false };
  }
}

function write(file: string, seen: Seen, log: DataPlaneLog): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(file, JSON.stringify(seen), { mode: 0o600 });
  } catch (error) {
    log.warn("cannot write down that this host was no router before", { file, error });
  }
}
