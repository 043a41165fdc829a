import { afterAll, beforeAll, describe } from "@jest/globals";

import { openEtcdStore } from "../../src/index.ts";
import { CountedClock } from "../counted-clock.ts";
import { describeServedStore } from "../store.contract.ts";
import { EtcdCluster, whyNoEtcd } from "./etcd-process.ts";

(whyNoEtcd ? describe.skip : describe)(`one member${whyNoEtcd ? ` (skipped: ${whyNoEtcd})` : ""}`, () => {
  let cluster: EtcdCluster;
  beforeAll(async () => {
    cluster = await EtcdCluster.start(1);
  });
  afterAll(() => cluster.stop());

  let stores = 0;
  describeServedStore("etcd", {
    newClock: () => new CountedClock(),
    // A prefix of its own for each test: to it, the store is empty.
    open: (clock) => openEtcdStore({ endpoints: cluster.endpoints, prefix: `/test-${stores++}/`, clock }),
  });
});
