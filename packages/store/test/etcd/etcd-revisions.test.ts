import { beforeEach, describe, expect, test } from "@jest/globals";

import type { Cluster, Request } from "../../src/etcd/cluster.ts";
import { KeySpace } from "../../src/etcd/key-space.ts";
import { Revisions } from "../../src/etcd/revisions.ts";

const header = (revision: number) => ({ revision: BigInt(revision) });

describe("what is known of revisions", () => {
  let compactions: number[];
  let setBacks: number[];
  let revisions: Revisions;
  beforeEach(() => {
    compactions = [];
    setBacks = [];
    const kv = {
      compact: ({ revision }: { revision: bigint }) => Promise.resolve(void compactions.push(Number(revision))),
    };
    const call = async ({ perform }: Request<unknown>) => ({
      value: await perform({ kv } as never, new AbortController().signal),
      repeated: false,
    });
    revisions = new Revisions({
      cluster: { call } as unknown as Cluster,
      keys: new KeySpace(""),
      random: () => 0,
      onSetBack: (revision) => void setBacks.push(revision),
    });
  });

  test("history is compacted when it is twice as long as what is kept, and 10,000 revisions stay", async () => {
    revisions.heard(header(9999));
    expect(compactions).toEqual([]);
    revisions.heard(header(25_000));
    revisions.heard(header(25_001));
    revisions.heard(header(34_999));
    expect(compactions).toEqual([15_000]);
    revisions.heard(header(35_000));
    expect(compactions).toEqual([15_000, 25_000]);
    await Promise.resolve();
    expect(setBacks).toEqual([]);
  });

  test("what is late is no step back, what is older than was known before it was asked is", () => {
    revisions.heard(header(20));
    revisions.heard(header(19));
    revisions.heardLinearizable(header(18), 17);
    expect([revisions.newest, setBacks]).toEqual([20, []]);
    revisions.heardLinearizable(header(12), 20);
    expect([revisions.newest, setBacks]).toEqual([12, [12]]);
  });
});
