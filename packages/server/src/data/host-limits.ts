import { readFileSync } from "node:fs";

import type { HostLimits } from "./l4/flow-limit.ts";

/** The files that say them; read at the start of a worker. */
const LIMITS_FILE = "/proc/self/limits";
const PORTS_FILE = "/proc/sys/net/ipv4/ip_local_port_range";

/** What this host lets this process have, as far as it says so (Linux). */
export function readHostLimits(): HostLimits {
  return { openFiles: parseOpenFiles(read(LIMITS_FILE)), localPorts: parseLocalPorts(read(PORTS_FILE)) };
}

/** @param limits text of /proc/PID/limits; the soft limit counts, which Node has raised to the hard one. */
export function parseOpenFiles(limits: string): number | undefined {
  const found = /^Max open files +(\d+|unlimited)/mu.exec(limits)?.[1];
  if (found === undefined) return undefined;
  return found === "unlimited" ? Number.MAX_SAFE_INTEGER : Number(found);
}

/** @param range the first and the last port. */
export function parseLocalPorts(range: string): number | undefined {
  const [, first, last] = /^(\d+)\s+(\d+)/u.exec(range) ?? [];
  return first === undefined || last === undefined ? undefined : Number(last) - Number(first) + 1;
}

/** Empty where there is no such file: not Linux, or not to be read. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
