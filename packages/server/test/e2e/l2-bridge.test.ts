import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";

import { hasEtcd } from "./l2-etcd.ts";
import { L2Testbed, whyNoBridge } from "./l2-testbed.ts";
import { until } from "./until.ts";

const why = whyNoBridge();
const STORE = hasEtcd ? "etcd" : "memory";
const TIMEOUT_MS = 30_000;

(why ? describe.skip : describe)(`VIPs on a link${why ? ` (skipped: ${why})` : ""}`, () => {
  let testbed: L2Testbed;
  beforeAll(async () => {
    testbed = new L2Testbed();
    await testbed.start();
  }, TIMEOUT_MS);
  afterAll(() => testbed.remove());

  /** Does what moves both VIPs; answers for how long clients had no answer. */
  async function move(what: string, act: () => void): Promise<number> {
    const moves = await testbed.move(act);
    const times = moves.map(({ vip, node, silentMs }) => `${vip} to ${node} after ${Math.round(silentMs)} ms`);
    process.stdout.write(`    ${what} (${STORE}): ${times.join(", ")}\n`);
    expect(testbed.faults).toEqual([]);
    return Math.max(...moves.map(({ silentMs }) => silentMs));
  }

  /** A busy machine may hold up any single run: the fastest of some counts. */
  async function expectWithin(boundMs: number, mostRuns: number, run: () => Promise<number>): Promise<void> {
    let fastestMs = Number.POSITIVE_INFINITY;
    for (let runs = 0; runs < mostRuns && fastestMs > boundMs; runs += 1) fastestMs = Math.min(fastestMs, await run());
    expect(fastestMs).toBeLessThanOrEqual(boundMs);
  }

  test(
    "a drain moves them within 200 ms",
    async () => {
      await expectWithin(200, 5, async () => {
        const owner = await testbed.owner();
        const silentMs = await move("drain", () => owner.tell({ draining: true }));
        owner.tell({ draining: false });
        return silentMs;
      });
    },
    TIMEOUT_MS,
  );

  test(
    "a cable that is pulled moves them, though the node still reaches the store",
    async () => {
      const owner = await testbed.owner();
      expect(await move("cable pulled", () => testbed.cable(owner.name, "down"))).toBeLessThanOrEqual(4000);
      testbed.cable(owner.name, "up");
    },
    TIMEOUT_MS,
  );

  test(
    "SIGKILL moves them within 4 s, and the kernel of the dead node lets go in time",
    async () => {
      await expectWithin(4000, 2, async () => {
        const owner = await testbed.owner();
        const silentMs = await move("SIGKILL", () => owner.signal("SIGKILL"));
        for (const vip of testbed.vips) expect(testbed.owners(vip)).not.toContain(owner.name);
        await testbed.startNode(owner.name);
        return silentMs;
      });
    },
    TIMEOUT_MS,
  );

  test(
    "a process that hangs loses them within 4 s, and does not take them back when it runs again",
    async () => {
      await expectWithin(4000, 2, async () => {
        const owner = await testbed.owner();
        const silentMs = await move("SIGSTOP", () => owner.signal("SIGSTOP"));
        owner.signal("SIGCONT");
        expect((await testbed.owner()).name).not.toBe(owner.name);
        return silentMs;
      });
    },
    TIMEOUT_MS,
  );

  test(
    "without the store nobody has them before another node could, and with it one node has them again",
    async () => {
      const startedMs = performance.now();
      testbed.store.silence();
      const all = (): readonly string[] => testbed.vips.flatMap((vip) => testbed.owners(vip));
      await until("nobody has a VIP", all, ({ length }) => length === 0);
      const goneMs = performance.now() - startedMs;
      testbed.store.speak();
      const back = await testbed.owner();
      const backMs = performance.now() - startedMs - goneMs;
      process.stdout.write(
        `    store away (${STORE}): given up after ${Math.round(goneMs)} ms; on ${back.name} ${Math.round(backMs)} ms after it is back\n`,
      );
      expect(goneMs).toBeLessThan(3200);
      expect(testbed.faults).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
