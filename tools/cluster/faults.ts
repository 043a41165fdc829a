// What happens to machines: each fault with the way back.
import type { Cluster } from "./cluster.ts";
import { namespaceOf, runSync } from "./namespaces.ts";
import { setCable } from "./network.ts";
import { addressOf, networks, nodeNames } from "./plan.ts";

/** Something that went wrong; undoes itself once. */
export interface Fault {
  repair(): Promise<void>;
}

/** `kill -9` of a daemon. */
export async function crash(cluster: Cluster, node: string, unit: string): Promise<Fault> {
  const units = cluster.lab.units(node);
  await units.kill(unit);
  return { repair: async () => units.start(unit) };
}

/** The whole machine hangs: none of its daemons does anything any more, and nothing is closed. */
export function hang(cluster: Cluster, node: string): Fault {
  const units = cluster.lab.units(node);
  const hung = ["fiberlb", "gobgpd"] as const;
  for (const unit of hung) units.signal(unit, "SIGSTOP");
  return { repair: async () => hung.forEach((unit) => units.signal(unit, "SIGCONT")) };
}

/** The cable to the router is out; the management network is still there. */
export function unplug(node: string): Fault {
  setCable(node, "front", "down");
  return { repair: async () => setCable(node, "front", "up") };
}

/** The node reaches the router and no server behind it any more: packets vanish, nobody says so. */
export function partitionFromServers(node: string): Fault {
  const rules = ([4, 6] as const).map((family) => {
    const servers = family === 4 ? `${networks.servers.ipv4}0/24` : `${networks.servers.ipv6}/64`;
    const pair = `from ${addressOf(node, "front", family)} to ${servers}`;
    return { family, rule: `${pair} blackhole pref 50` };
  });
  const change = (verb: "add" | "del"): void => {
    for (const { family, rule } of rules) ipRule(family, `${verb} ${rule}`);
  };
  change("add");
  return { repair: async () => change("del") };
}

/** Everything a client sends to a VIP goes to one node, whatever the routes say: to ask a node on purpose. */
export function pin(client: string, node: string): Fault {
  const table = 100 + nodeNames.findIndex((name) => name === node);
  const rules = ([4, 6] as const).map((family) => {
    const network = client === "client-1" ? "clients-1" : "clients-2";
    const vips = family === 4 ? "203.0.113.0/24" : "2001:db8:113::/112";
    return { family, rule: `from ${addressOf(client, network, family)} to ${vips} lookup ${table} pref 40`, vips };
  });
  for (const { family, rule, vips } of rules) {
    const flag = family === 6 ? ["-6"] : [];
    runIn("router", [
      ...flag,
      "route",
      "replace",
      vips,
      "via",
      addressOf(node, "front", family),
      "table",
      String(table),
    ]);
    ipRule(family, `add ${rule}`);
  }
  return { repair: async () => rules.forEach(({ family, rule }) => ipRule(family, `del ${rule}`)) };
}

const ipRule = (family: 4 | 6, rule: string): void =>
  runIn("router", [...(family === 6 ? ["-6"] : []), "rule", ...rule.split(" ")]);

const runIn = (host: string, args: readonly string[]): void => void runSync(["ip", "-n", namespaceOf(host), ...args]);
