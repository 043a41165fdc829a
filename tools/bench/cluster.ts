import { allNodes, Cluster, VIP_PORT, vips } from "../cluster/cluster.ts";
import { pin } from "../cluster/faults.ts";
import { type Failure, failures, sufferOutage } from "../cluster/measure.ts";
import { clientNames } from "../cluster/plan.ts";
import { provideLab } from "../cluster/provide.ts";
import { nowMs } from "../cluster/route-monitor.ts";
import type { BenchContext } from "./bench-context.ts";
import { announceMany } from "./cluster-vips.ts";
import { quantile } from "./load.ts";
import type { BenchTable } from "./table.ts";

interface Sizes {
  readonly vips: number;
  readonly kills: number;
  readonly writes: number;
  readonly changes: number;
}

const WHOLE: Sizes = { vips: 1000, kills: 20, writes: 2000, changes: 100 };
const QUICK: Sizes = { vips: 50, kills: 3, writes: 100, changes: 10 };
/** Clients that write at once. */
const WRITERS = 16;

/** Three nodes, three members of etcd and a router, all on this machine: figures of what they do together. */
export async function benchCluster({ quick, progress }: BenchContext): Promise<BenchTable> {
  const why = await provideLab(progress);
  if (why !== "") throw new Error(`Cannot bench a cluster: ${why}`);
  const sizes = quick ? QUICK : WHOLE;
  const cluster = await Cluster.start({ say: progress, settings: { FIBERLB_DATA_PLANE_WORKERS: "1" } });
  try {
    const rows = [
      await benchKills(cluster, { failure: failures.killFiberlb, count: sizes.kills, progress }),
      await benchKills(cluster, { failure: failures.killGobgpd, count: sizes.kills, progress }),
      await benchWrites(cluster, sizes.writes, progress),
      await benchChanges(cluster, sizes.changes, progress),
      ...(await announceMany(cluster, sizes.vips, progress)),
    ];
    return {
      title: "Cluster: three nodes, three members of etcd, BIRD; namespaces of one machine, mutual TLS",
      columns: ["what", "median", "p99", "longest", "bound"],
      rows,
      notes: [
        "Failover: from `kill -9` until the router's kernel sends to other nodes only, IPv4 and IPv6.",
        `Writes: a load balancer's description, ${WRITERS} at once, over JSON and HTTPS to one node.`,
        "A change: from the call on one node until a client gets an answer by it from another node.",
        "Announcing: hold time and timers as in docs/runbook.md; all VIPs are /128.",
      ],
    };
  } catch (error) {
    (error as Error).message += `\n${cluster.lab.logs()}`;
    throw error;
  } finally {
    await cluster.close();
  }
}

type Progress = BenchContext["progress"];

const ms = (value: number): string => `${value.toFixed(1)} ms`;

async function benchKills(
  cluster: Cluster,
  { failure, count, progress }: { readonly failure: Failure; readonly count: number; readonly progress: Progress },
): Promise<string[]> {
  const times: number[] = [];
  for (let kill = 0; kill < count; kill++) {
    progress(`${failure.what}: ${kill + 1} of ${count}`);
    const { measure } = await sufferOutage(cluster, allNodes[kill % 3]!, failure);
    times.push(measure.tookMs);
  }
  const label = `failover, ${failure.what} (${count} times)`;
  return [label, ms(quantile(times, 0.5)), "", ms(quantile(times, 1)), `${failure.boundMs} ms`];
}

const web = async (cluster: Cluster): Promise<{ readonly id: string; readonly listenerId: string }> => {
  const first = async (rpc: string, request: object): Promise<{ readonly id: string }> => {
    const [list] = Object.values(await cluster.operator.call("lb-1", rpc, { ...request }));
    return (list as readonly { readonly id: string }[])[0]!;
  };
  const { id } = await first("LoadBalancerService/ListLoadBalancers", { name: "web" });
  return { id, listenerId: (await first("ListenerService/ListListeners", { loadBalancerId: id })).id };
};

async function benchWrites(cluster: Cluster, count: number, progress: Progress): Promise<string[]> {
  progress(`${count} writes through the API`);
  const names = Array.from({ length: WRITERS }, (_, index) => `bench-${index}`);
  const ids: string[] = [];
  for (const name of names) {
    const { loadBalancer } = await cluster.operator.call("lb-1", "LoadBalancerService/CreateLoadBalancer", { name });
    ids.push((loadBalancer as { readonly id: string }).id);
  }
  const revisions = new Map<string, unknown>(ids.map((id) => [id, "1"]));
  const times: number[] = [];
  const startedMs = nowMs();
  await Promise.all(
    ids.map(async (id) => {
      for (let write = 0; write < count / WRITERS; write++) {
        const calledMs = nowMs();
        const loadBalancer = { id, revision: revisions.get(id), description: `write ${write}` };
        const request = { loadBalancer, updateMask: "description" };
        const answer = await cluster.operator.call("lb-1", "LoadBalancerService/UpdateLoadBalancer", request);
        revisions.set(id, (answer["loadBalancer"] as { readonly revision: unknown }).revision);
        times.push(nowMs() - calledMs);
      }
    }),
  );
  const perS = Math.round((times.length / (nowMs() - startedMs)) * 1000);
  const figures = [ms(quantile(times, 0.5)), ms(quantile(times, 0.99)), ms(quantile(times, 1)), ""];
  return [`writes through one node's API, ${perS}/s`, ...figures];
}

/** A policy that answers by itself, changed on the first node; a client that reaches only the third one sees it. */
async function benchChanges(cluster: Cluster, count: number, progress: Progress): Promise<string[]> {
  const call = (rpc: string, request: Readonly<Record<string, unknown>>) =>
    cluster.operator.timedCall("lb-1", rpc, request);
  const { listenerId } = await web(cluster);
  const action = "L7_POLICY_ACTION_FIXED_RESPONSE";
  const responseOf = (name: string) => ({
    code: 200,
    contentType: "application/json",
    body: JSON.stringify({ server: name, from: "" }),
  });
  const created = await call("L7PolicyService/CreateL7Policy", {
    listenerId,
    action,
    fixedResponse: responseOf("first"),
  });
  let { id, revision } = created.answer["l7Policy"] as { readonly id: string; readonly revision: unknown };
  await call("L7RuleService/CreateL7Rule", {
    l7PolicyId: id,
    type: "L7_RULE_TYPE_PATH",
    compareType: "L7_COMPARE_TYPE_STARTS_WITH",
    value: "/",
  });
  const target = { host: vips.ipv4, port: VIP_PORT };
  const pinned = pin(clientNames[0], "lb-3");
  const times: number[] = [];
  try {
    await cluster.client(0).untilAnsweredBy(target, "first");
    for (let change = 0; change < count; change++) {
      progress(`change ${change + 1} of ${count}`);
      const name = `change-${change}`;
      const l7Policy = { id, revision, fixedResponse: responseOf(name) };
      const calledMs = nowMs();
      const [{ answer }, seenMs] = await Promise.all([
        call("L7PolicyService/UpdateL7Policy", { l7Policy, updateMask: "fixedResponse" }),
        cluster.client(0).untilAnsweredBy(target, name),
      ]);
      ({ id, revision } = answer["l7Policy"] as { readonly id: string; readonly revision: unknown });
      times.push(seenMs - calledMs);
    }
  } finally {
    await pinned.repair();
    await call("L7PolicyService/DeleteL7Policy", { id, cascade: true });
  }
  const label = "change on lb-1 until lb-3 forwards by it";
  return [label, ms(quantile(times, 0.5)), ms(quantile(times, 0.99)), ms(quantile(times, 1)), ""];
}
