import type { Cluster } from "../cluster.ts";
import { VIP_PORT, vips } from "../cluster.ts";
import type { Tally } from "./messages.ts";
import { addTallies } from "./tallies.ts";

/** Requests a second of both clients together: one asks the IPv4 VIP, the other the IPv6 VIP. */
export const LOAD_PER_S = 200;

/** Does something while clients that try again send requests to both VIPs. @returns what became of those requests */
export async function underLoad(cluster: Cluster, work: () => Promise<void>): Promise<Tally> {
  const targets = [vips.ipv4, vips.ipv6].map((host) => ({ host, port: VIP_PORT }));
  const loads = await Promise.all(
    targets.map((target, index) => cluster.client(index === 0 ? 0 : 1).load(target, LOAD_PER_S / 2)),
  );
  let tallies: readonly Tally[] = [];
  try {
    await work();
  } finally {
    tallies = await Promise.all(loads.map((load) => load.stop()));
  }
  return addTallies(tallies);
}
