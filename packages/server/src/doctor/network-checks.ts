import { type Cidr, type IpAddress, rangeMatcher } from "@fiberlb/types";

import { type Config, DEFAULT_VIP_POOLS, parseListen } from "../config/config.ts";
import type { DoctorFacts } from "./facts.ts";
import { type Finding, grouped, ok, skipped, warning } from "./finding.ts";
import { linkPools } from "./link-pools.ts";

/** As many as a listener asks the kernel to queue. */
const BACKLOG = 4096;
const RECEIVE_BUFFER = 4_194_304;
const MANY_LOCAL_PORTS = 28_000;

/** Queues, buffers, ports and addresses. */
export function checkNetwork(facts: DoctorFacts, config: Config): Finding[] {
  return [
    checkMigration(facts),
    checkAtLeast(facts, {
      check: "accept queue",
      name: "net.core.somaxconn",
      least: BACKLOG,
      why: "a burst of new connections overflows it",
    }),
    checkAtLeast(facts, {
      check: "UDP buffer",
      name: "net.core.rmem_max",
      least: RECEIVE_BUFFER,
      why: "a burst of datagrams overflows it; only for UDP listeners",
    }),
    checkLocalPorts(facts),
    checkOnLink(facts, config),
    checkWildcards(facts, config),
  ];
}

function checkMigration({ sysctls }: DoctorFacts): Finding {
  const check = "tcp_migrate_req";
  const value = sysctls["net.ipv4.tcp_migrate_req"];
  if (value === undefined)
    return warning(
      check,
      "this kernel has none: an upgrade resets connections in accept queues",
      "Linux 5.14 or newer",
    );
  if (value !== "0") return ok(check, "on: serve --takeover loses no connection");
  return warning(
    check,
    "off: serve --takeover, and a worker that is replaced, reset connections that wait to be accepted",
    "sysctl -w net.ipv4.tcp_migrate_req=1",
  );
}

function checkAtLeast(
  { sysctls }: DoctorFacts,
  {
    check,
    name,
    least,
    why,
  }: {
    readonly check: string;
    readonly name: "net.core.somaxconn" | "net.core.rmem_max";
    readonly least: number;
    readonly why: string;
  },
): Finding {
  const value = sysctls[name];
  if (value === undefined) return skipped(check, "this system does not tell");
  if (Number(value) >= least) return ok(check, `${name} is ${grouped(Number(value))}`);
  return warning(check, `${name} is ${grouped(Number(value))}: ${why}`, `sysctl -w ${name}=${least}`);
}

function checkLocalPorts({ sysctls }: DoctorFacts): Finding {
  const check = "outgoing ports";
  const [, first, last] = /^(\d+)\s+(\d+)/u.exec(sysctls["net.ipv4.ip_local_port_range"] ?? "") ?? [];
  if (first === undefined || last === undefined) return skipped(check, "this system does not tell");
  const count = Number(last) - Number(first) + 1;
  const found = `${first}-${last}: ${grouped(count)} connections to one backend address and port`;
  if (count >= MANY_LOCAL_PORTS) return ok(check, found);
  return warning(check, found, 'sysctl -w net.ipv4.ip_local_port_range="10240 65535"');
}

interface VipPool {
  readonly name: string;
  readonly cidrs: readonly string[];
}

/** Neighbours ask for such a VIP by ARP, and every node that has it answers. */
function checkOnLink({ networks }: DoctorFacts, config: Config): Finding {
  const check = "VIPs on the link";
  // Pools announced by l2 belong there.
  const onLink = new Set(linkPools(config).map(({ name }) => name));
  const vipPools: readonly VipPool[] = config.vipPools ?? DEFAULT_VIP_POOLS;
  const routed = vipPools.filter(({ name }) => !onLink.has(name));
  const hits = routed.flatMap(({ name, cidrs }) =>
    networks
      .filter(({ cidr }) => cidrs.some((range) => overlaps(range, cidr)))
      .map((network) => `${name} in ${network.cidr} of ${network.interface}`),
  );
  if (hits.length === 0) return ok(check, "no VIP pool overlaps a network of an interface");
  return warning(
    check,
    `VIP pool ${hits.join(", ")}: neighbours reach it by ARP, without a route`,
    "with one node this works where net.ipv4.conf.*.arp_ignore is 0; otherwise take a network of its own and route it here",
  );
}

/** Two ranges overlap when the first address of one is in the other. */
export function overlaps(one: string, other: string): boolean {
  const first = (range: string): IpAddress => range.split(/[/-]/u, 1)[0] as IpAddress;
  const has = (range: string, address: IpAddress): boolean => rangeMatcher([range as Cidr])(address);
  if (first(one).includes(":") !== first(other).includes(":")) return false;
  return has(other, first(one)) || has(one, first(other));
}

function checkWildcards({ wildcardSockets }: DoctorFacts, { api, admin }: Config): Finding {
  const check = "wildcard sockets";
  const ours = new Set([api, admin].map(({ listen }) => `tcp ${parseListen(listen)?.port}`));
  const held = new Set(wildcardSockets.map(({ protocol, port }) => `${protocol} ${port}`));
  const ports = [...held.difference(ours)];
  if (ports.length === 0) return ok(check, "no other program holds a port on all addresses");
  return warning(
    check,
    `no listener can have ${ports.join(", ")}: other programs hold it on all addresses`,
    "where a listener needs one, bind that program to the addresses that it serves (sshd: ListenAddress)",
  );
}
