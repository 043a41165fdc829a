import type { Capabilities, DoctorFacts } from "./facts.ts";

/** Bits of capability sets (linux/capability.h). */
const CAP_NET_BIND_SERVICE = 10n;
const CAP_NET_ADMIN = 12n;
/** State of a listening TCP socket, and of an unconnected UDP socket (net/tcp_states.h). */
const LISTENING = { tcp: "0A", udp: "07" } as const;

/** Rights in the text of /proc/PID/status. */
export function parseCapabilities(status: string): Capabilities | undefined {
  const effective = /^CapEff:\s*([0-9a-f]+)$/mu.exec(status)?.[1];
  if (effective === undefined) return undefined;
  const bits = BigInt(`0x${effective}`);
  const has = (bit: bigint): boolean => ((bits >> bit) & 1n) === 1n;
  return { netAdmin: has(CAP_NET_ADMIN), netBindService: has(CAP_NET_BIND_SERVICE) };
}

/** Sockets on all addresses in the text of /proc/net/tcp, tcp6, udp or udp6. */
export function parseWildcardSockets(protocol: "tcp" | "udp", table: string): DoctorFacts["wildcardSockets"] {
  return table.split("\n").flatMap((line) => {
    const [, local = "", , state] = line.trim().split(/\s+/u);
    const [address = "", port = ""] = local.split(":");
    if (state !== LISTENING[protocol] || !/^0+$/u.test(address)) return [];
    return [{ protocol, port: Number.parseInt(port, 16) }];
  });
}
