import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from "@jest/globals";

import { EtcdCluster, whyNoEtcd } from "./etcd-process.ts";
import { FaultRun, findLeader } from "./fault-run.ts";

jest.setTimeout(30 * 60_000);

/** About five seconds of writes on a small machine. */
const A_WHILE = 1000;
const ROUNDS = Number(process.env["FIBERLB_FUZZ_RUNS"] ?? 6);

(whyNoEtcd ? describe.skip : describe)(`many faults${whyNoEtcd ? ` (skipped: ${whyNoEtcd})` : ""}`, () => {
  let cluster: EtcdCluster;
  let run: FaultRun;
  beforeAll(async () => {
    cluster = await EtcdCluster.start(3);
  });
  afterAll(() => cluster.stop());
  beforeEach(async () => {
    run = await FaultRun.start(cluster, 6);
    await run.workload.untilAcknowledged(A_WHILE);
    run.workload.takeLongestGapMs();
  });
  afterEach(() => run.close());

  const rounds = async (what: string, round: () => Promise<void>): Promise<void> => {
    const gaps: number[] = [];
    for (let count = 0; count < ROUNDS; count++) {
      await round();
      gaps.push(run.workload.takeLongestGapMs());
    }
    const fates = Object.entries(Object.groupBy(run.workload.fates.values(), (fate) => fate));
    const counts = fates.map(([fate, values]) => `${values?.length} ${fate}`).join(", ");
    console.log(`${what}: longest gaps between acknowledged writes ${gaps.join(", ")} ms; ${counts}`);
    expect(await run.judge()).toEqual([]);
  };

  test("one leader after the other is killed", () =>
    rounds("leader killed", async () => {
      const leader = await findLeader(cluster);
      await leader.kill();
      await run.workload.untilAcknowledged(A_WHILE);
      await leader.start();
      await run.workload.untilAcknowledged(A_WHILE);
    }));

  test("one member after the other hangs", () =>
    rounds("member hung", async () => {
      const member = cluster.members[Math.floor(Math.random() * cluster.members.length)]!;
      member.signal("SIGSTOP");
      await run.workload.untilAcknowledged(A_WHILE);
      member.signal("SIGCONT");
      await run.workload.untilAcknowledged(A_WHILE);
    }));

  test("all members are away, each time for several calls' time", () =>
    rounds("all away", async () => {
      await Promise.all(cluster.members.map((member) => member.kill()));
      for (let calls = 0; calls < 8; calls++) await run.workload.untilFailure();
      await Promise.all(cluster.members.map((member) => member.start()));
      await run.workload.untilAcknowledged(A_WHILE);
    }));
});
