import { ipBatch, namespaceOf, runSync } from "./namespaces.ts";
// Builds the hosts of plan.ts as network namespaces, and cables them.
import { type HostPlan, hostPlans, type NetworkName, networks } from "./plan.ts";

/** Set in every namespace before it has links: addresses are usable at once, and answers may come another way. */
const SYSCTLS = {
  "net.ipv4.conf.all.rp_filter": 0,
  "net.ipv4.conf.default.rp_filter": 0,
  "net.ipv6.conf.all.accept_dad": 0,
  "net.ipv6.conf.default.accept_dad": 0,
  "net.ipv6.conf.default.accept_ra": 0,
} as const;

/** What makes a machine a router; how it spreads is the runbook's. */
const ROUTER_SYSCTLS = { "net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1 } as const;

/** Makes all namespaces, links, addresses and routes. What it made before it failed is the caller's to remove. */
export function buildNetwork(): void {
  ipBatch(hostPlans.map(({ name }) => `netns add ${namespaceOf(name)}`));
  for (const host of hostPlans) prepare(host);
  for (const host of hostPlans) for (const one of bridgesOf(host)) makeBridge(host, one);
  for (const host of hostPlans) for (const one of cablesOf(host)) lay(host, one);
  for (const { name, gateways } of hostPlans) {
    const routes = gateways.map((via) => `${via.includes(":") ? "-6 " : ""}route add default via ${via}`);
    for (const route of routes) runSync(["ip", "-n", namespaceOf(name), ...route.split(" ")]);
  }
}

function prepare({ name, role }: HostPlan): void {
  const wanted = { ...SYSCTLS, ...(role === "router" && ROUTER_SYSCTLS) };
  const settings = Object.entries(wanted).map(([key, value]) => `${key}=${value}`);
  runSync(["ip", "netns", "exec", namespaceOf(name), "sysctl", "-qw", ...settings]);
  ipBatch(["link set lo up"], namespaceOf(name));
}

type Port = HostPlan["interfaces"][number];

const isBridge = ({ name }: HostPlan, { network }: Port): boolean => networks[network].bridgeOn === name;
const bridgesOf = (host: HostPlan): readonly Port[] => host.interfaces.filter((one) => isBridge(host, one));
const cablesOf = (host: HostPlan): readonly Port[] => host.interfaces.filter((one) => !isBridge(host, one));

function makeBridge({ name }: HostPlan, port: Port): void {
  ipBatch([`link add ${port.name} type bridge`, ...configure(port)], namespaceOf(name));
}

const configure = ({ name, addresses }: Port): readonly string[] => [
  ...addresses.map((address) => `addr add ${address} dev ${name}${address.includes(":") ? " nodad" : ""}`),
  `link set dev ${name} up`,
];

/** The other end of a host's cable, in the namespace that has the bridge. */
const socketOf = (host: string, network: NetworkName): string => `${network.slice(0, 2)}-${host}`;

function lay({ name }: HostPlan, port: Port): void {
  const there = namespaceOf(networks[port.network].bridgeOn);
  const socket = socketOf(name, port.network);
  ipBatch(
    [
      `link add ${socket} type veth peer name ${port.name} netns ${namespaceOf(name)}`,
      `link set dev ${socket} master ${port.network === "management" ? "mgmt" : port.network}`,
      `link set dev ${socket} up`,
    ],
    there,
  );
  ipBatch(configure(port), namespaceOf(name));
}

/** Pulls a host's cable out at the bridge, or puts it back: the host itself sees its link down. */
export function setCable(host: string, network: NetworkName, state: "up" | "down"): void {
  ipBatch([`link set dev ${socketOf(host, network)} ${state}`], namespaceOf(networks[network].bridgeOn));
}
