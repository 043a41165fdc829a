// Which hosts there are, how they are cabled, and what their addresses are. Pure; the runbook says the same in words.

/** What a host is for. */
export type Role = "admin" | "router" | "client" | "node" | "server";

/** One end of a cable, as an interface of a host. */
export interface Interface {
  readonly name: string;
  readonly network: NetworkName;
  /** With the length of the prefix. */
  readonly addresses: readonly string[];
}

/** A machine of the lab. */
export interface HostPlan {
  readonly name: string;
  readonly role: Role;
  readonly interfaces: readonly Interface[];
  /** The routers' addresses that everything unknown goes to, IPv4 and IPv6. */
  readonly gateways: readonly string[];
}

export type NetworkName = "management" | "front" | "clients-1" | "clients-2" | "servers";

/** A link that several hosts share: a bridge inside the host that is its first address. */
export interface NetworkPlan {
  readonly bridgeOn: "admin" | "router";
  readonly ipv4: string;
  /** Absent: IPv4 only. */
  readonly ipv6?: string;
}

/** `ipv4` and `ipv6` are what stands before a host's number. */
export const networks: Readonly<Record<NetworkName, NetworkPlan>> = {
  management: { bridgeOn: "admin", ipv4: "10.96.0." },
  front: { bridgeOn: "router", ipv4: "10.99.0.", ipv6: "2001:db8:99::" },
  "clients-1": { bridgeOn: "router", ipv4: "10.98.1.", ipv6: "2001:db8:98:1::" },
  "clients-2": { bridgeOn: "router", ipv4: "10.98.2.", ipv6: "2001:db8:98:2::" },
  servers: { bridgeOn: "router", ipv4: "10.97.0.", ipv6: "2001:db8:97::" },
};

/** Addresses of load balancers: what the router takes from the nodes, as host routes only. */
export const vipNetworks = { ipv4: "203.0.113.0/24", ipv6: "2001:db8:113::/112" } as const;

/** AS numbers of the router and of the nodes. */
export const asn = { router: 64500, nodes: 64512 } as const;

export const nodeNames = ["lb-1", "lb-2", "lb-3"] as const;
/** A machine that is cabled and idle, to be added or to replace another. */
export const spareName = "lb-4";
export const clientNames = ["client-1", "client-2"] as const;
export const serverNames = ["web-1", "web-2", "web-3", "web-4"] as const;

const attach = (name: string, network: NetworkName, number: number): Interface => {
  const { ipv4, ipv6 } = networks[network];
  return { name, network, addresses: [`${ipv4}${number}/24`, ...(ipv6 === undefined ? [] : [`${ipv6}${number}/64`])] };
};

/** The first address of each family of a network: its router. */
function gatewaysOf(network: NetworkName): readonly string[] {
  const { ipv4, ipv6 } = networks[network];
  return [`${ipv4}1`, ...(ipv6 === undefined ? [] : [`${ipv6}1`])];
}

const node = (name: string, index: number): HostPlan => ({
  name,
  role: "node",
  interfaces: [attach("mgmt", "management", 11 + index), attach("front", "front", 11 + index)],
  gateways: gatewaysOf("front"),
});

const client = (name: string, index: number): HostPlan => {
  const network = index === 0 ? "clients-1" : "clients-2";
  return { name, role: "client", interfaces: [attach("up", network, 10)], gateways: gatewaysOf(network) };
};

const server = (name: string, index: number): HostPlan => ({
  name,
  role: "server",
  interfaces: [attach("up", "servers", 11 + index)],
  gateways: gatewaysOf("servers"),
});

const router: HostPlan = {
  name: "router",
  role: "router",
  interfaces: (["front", "clients-1", "clients-2", "servers"] as const).map((network) => attach(network, network, 1)),
  gateways: [],
};

const admin: HostPlan = {
  name: "admin",
  role: "admin",
  interfaces: [attach("mgmt", "management", 1)],
  gateways: [],
};

/** All hosts, those with bridges first. */
export const hostPlans: readonly HostPlan[] = [
  admin,
  router,
  ...[...nodeNames, spareName].map(node),
  ...clientNames.map(client),
  ...serverNames.map(server),
];

const planOf = (host: string): HostPlan => {
  const found = hostPlans.find(({ name }) => name === host);
  if (found === undefined)
    throw new Error(`No such host: ${host}; there are ${hostPlans.map(({ name }) => name).join(", ")}`);
  return found;
};

/** The address of a host on a network, without the length of the prefix. @throws Error when it has none there. */
export function addressOf(host: string, network: NetworkName, family: 4 | 6 = 4): string {
  const { addresses } = planOf(host).interfaces.find((one) => one.network === network) ?? { addresses: [] };
  const address = addresses.find((one) => one.includes(":") === (family === 6));
  if (address === undefined) throw new Error(`${host} has no IPv${family} address in ${network}`);
  return address.slice(0, address.indexOf("/"));
}

/** Which node a next hop of the router is; undefined when it is none. */
export const nodeWithNextHop = (nextHop: string): string | undefined =>
  [...nodeNames, spareName].find((name) =>
    ([4, 6] as const).some((family) => addressOf(name, "front", family) === nextHop),
  );
