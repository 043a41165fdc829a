// The cluster, whole: real daemons on machines that are namespaces, started by the runbook's own commands. What takes longer
// than a CI should wait for is in cluster.long.test.ts.
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";

import { allNodes, bothVips, Cluster, readyNodes, VIP_PORT } from "../cluster.ts";
import { reachesAll } from "../demo/check.ts";
import { etcdLeader } from "../etcd.ts";
import { crash } from "../faults.ts";
import { declareMaglev, serversOf } from "../maglev.ts";
import { describeMeasure, failures, type Measure, sufferOutage } from "../measure.ts";
import { whyNoLab } from "../provide.ts";
import { nowMs } from "../route-monitor.ts";
import { runSection } from "../run-runbook.ts";
import type { Tally } from "../traffic/messages.ts";
import { underLoad } from "../traffic/under-load.ts";
import { until } from "../until.ts";

// On a busy machine; a step of the runbook that hangs ends before, with what it printed.
jest.setTimeout(240_000);

const REQUESTS = 60;

const why = whyNoLab();
(why ? describe.skip : describe)(`a cluster of three${why ? ` (skipped: ${why})` : ""}`, () => {
  let cluster: Cluster;
  const measured: string[] = [];
  beforeAll(async () => {
    const startedMs = nowMs();
    cluster = await Cluster.start({ settings: { FIBERLB_DATA_PLANE_WORKERS: "1" } });
    measured.push(`machines built and the runbook's bootstrap done in ${Math.round(nowMs() - startedMs)} ms`);
  });
  afterAll(async () => {
    await cluster?.close();
    console.log(measured.join("\n"));
  });

  /** A failure is told with the last lines of all daemons. */
  const explained = (run: () => Promise<void>): Promise<void> =>
    run().catch((error: unknown) => {
      (error as Error).message += `\n${cluster.lab.logs()}`;
      throw error;
    });

  function tell(what: string, { requests, retried, slowestMs }: Tally): void {
    const again = Object.values(retried).reduce((sum, count) => sum + count, 0);
    measured.push(
      `${what}: ${requests} requests, none failed, ${again} tried again, slowest ${Math.round(slowestMs)} ms`,
    );
  }

  const hold = (measure: Measure): void => {
    measured.push(describeMeasure(measure));
    expect(measure.tookMs).toBeLessThanOrEqual(measure.boundMs);
  };

  test("is reached through all three nodes, by IPv4 and by IPv6", () =>
    explained(async () => {
      for (const host of bothVips) {
        const tally = await cluster.client(0).ask({ host, port: VIP_PORT }, REQUESTS);
        expect([tally, reachesAll(tally)]).toEqual([expect.objectContaining({ failed: {} }), true]);
      }
    }));

  test.each([
    { node: "lb-1", failure: failures.killFiberlb },
    { node: "lb-2", failure: failures.killGobgpd },
    { node: "lb-3", failure: failures.partition },
  ])("$failure.what: the router leaves $node, traffic goes on, and $node comes back", ({ node, failure }) =>
    explained(async () => {
      const tally = await underLoad(cluster, async () => {
        const { measure, backMs } = await sufferOutage(cluster, node, failure);
        hold(measure);
        measured.push(`  back after ${Math.round(backMs)} ms`);
      });
      expect(tally.failed).toEqual({});
      tell("  meanwhile", tally);
    }),
  );

  test("etcd's leader killed: clients notice nothing, and the API goes on", () =>
    explained(async () => {
      const sinceMs = nowMs();
      const tally = await underLoad(cluster, async () => {
        const leader = await etcdLeader(cluster);
        const fault = await crash(cluster, leader, "etcd");
        const { loadBalancers } = await cluster.operator.call("lb-1", "LoadBalancerService/ListLoadBalancers", {
          name: "web",
        });
        const [{ id, revision }] = loadBalancers as [{ id: string; revision: string }];
        const loadBalancer = { id, revision, description: "changed without the leader" };
        await cluster.operator.call("lb-2", "LoadBalancerService/UpdateLoadBalancer", {
          loadBalancer,
          updateMask: "description",
        });
        measured.push(
          `etcd's leader killed: a change through the API was acknowledged after ${Math.round(nowMs() - sinceMs)} ms`,
        );
        await fault.repair();
      });
      expect(tally).toMatchObject({ failed: {}, retried: {} });
      for (const vip of bothVips)
        expect(cluster.routes.since(vip, sinceMs).map(({ nodes }) => nodes)).toEqual([allNodes]);
    }));

  test("every node sends a flow to the same server", () =>
    explained(async () => {
      await declareMaglev(cluster);
      const flows = Array.from({ length: 40 }, (_, index) => 20_000 + index);
      const first = await serversOf(cluster, "lb-1", flows);
      expect(new Set(first).size).toBe(4);
      expect(await serversOf(cluster, "lb-2", flows)).toEqual(first);
      expect(await serversOf(cluster, "lb-3", flows)).toEqual(first);
    }));

  describe("the runbook", () => {
    const loseDisk = async (node: string): Promise<void> => {
      await cluster.lab.units(node).killAll();
      await cluster.lab.host(node).mustRun("rm -rf /var/lib/etcd/* /var/lib/fiberlb/* /etc/fiberlb/*");
    };
    const loseMember = async (node: string): Promise<void> => {
      await cluster.lab.units(node).kill("etcd");
      await cluster.lab.host(node).mustRun("rm -rf /var/lib/etcd/*");
    };

    const names = async (): Promise<readonly string[]> => {
      const { loadBalancers = [] } = await cluster.operator.call("lb-2", "LoadBalancerService/ListLoadBalancers");
      return (loadBalancers as readonly { readonly name: string }[]).map(({ name }) => name);
    };
    const create = (name: string): Promise<unknown> =>
      cluster.operator.call("lb-1", "LoadBalancerService/CreateLoadBalancer", { name });

    /** A section of the page, what has happened before somebody reads it, and what has to be so after. */
    interface Case {
      readonly title: string;
      readonly before?: () => Promise<unknown>;
      readonly after?: () => Promise<void>;
    }
    const cases: readonly Case[] = [
      { title: "See how it is" },
      { title: "Drain a node" },
      { title: "Upgrade" },
      { title: "Add a node" },
      { title: "Replace a node", before: () => loseDisk("lb-3") },
      { title: "Back up", before: () => create("in-the-backup") },
      {
        title: "Restore",
        before: () => create("after-the-backup"),
        async after() {
          expect(await names()).toContain("in-the-backup");
          expect(await names()).not.toContain("after-the-backup");
        },
      },
      {
        title: "When etcd has lost its quorum",
        async before() {
          await create("before-the-loss");
          await Promise.all([loseMember("lb-2"), loseMember("lb-3")]);
        },
        async after() {
          expect(await names()).toContain("before-the-loss");
        },
      },
    ];

    /** All three serve, and a change reaches all. */
    async function isWhole(): Promise<void> {
      await cluster.untilRouted(allNodes, { sinceMs: nowMs() });
      await until(
        "all nodes are ready",
        () => readyNodes(cluster),
        (ready) => ready.join() === allNodes.join(),
      );
      await until(
        "a change is taken",
        () => create(`written-${nowMs()}`).then(() => true),
        (taken) => taken,
      );
    }

    test.each(cases)("$title: as the page says, and no request fails", ({ title, before, after }) =>
      explained(async () => {
        const startedMs = nowMs();
        const tally = await underLoad(cluster, async () => {
          await before?.();
          await runSection(cluster.lab, title);
          await isWhole();
          await after?.();
        });
        expect(tally.failed).toEqual({});
        tell(`${title} (${Math.round(nowMs() - startedMs)} ms)`, tally);
      }),
    );
  });
});
