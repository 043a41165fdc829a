import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from "@jest/globals";

import { EtcdCluster, whyNoEtcd } from "./etcd-process.ts";
import { FaultRun, findLeader } from "./fault-run.ts";

jest.setTimeout(120_000);

(whyNoEtcd ? describe.skip : describe)(`faults of a cluster${whyNoEtcd ? ` (skipped: ${whyNoEtcd})` : ""}`, () => {
  let cluster: EtcdCluster;
  let run: FaultRun;
  beforeAll(async () => {
    cluster = await EtcdCluster.start(3);
  });
  afterAll(() => cluster.stop());
  beforeEach(async () => {
    run = await FaultRun.start(cluster, 4);
    await run.workload.untilAcknowledged(50);
    run.workload.takeLongestGapMs();
  });
  afterEach(() => run.close());

  test("the leader is killed", async () => {
    const leader = await findLeader(cluster);
    await leader.kill();
    await run.workload.untilAcknowledged(100);
    console.log(`leader killed: ${run.workload.takeLongestGapMs()} ms without an acknowledged write`);
    await leader.start();
    await run.workload.untilAcknowledged(50);
    expect(await run.judge()).toEqual([]);
  });

  test("the leader hangs", async () => {
    const leader = await findLeader(cluster);
    leader.signal("SIGSTOP");
    await run.workload.untilAcknowledged(100);
    console.log(`leader hung: ${run.workload.takeLongestGapMs()} ms without an acknowledged write`);
    leader.signal("SIGCONT");
    await run.workload.untilAcknowledged(50);
    expect(await run.judge()).toEqual([]);
  });

  test("all members are away for a while", async () => {
    await Promise.all(cluster.members.map((member) => member.kill()));
    await run.workload.untilFailure();
    await Promise.all(cluster.members.map((member) => member.start()));
    await run.workload.untilAcknowledged(100);
    expect(await run.judge()).toEqual([]);
    expect(run.workload.failures.join("\n")).toMatch(/Cannot reach etcd for the (read|transaction) \(http/);
  });
});
