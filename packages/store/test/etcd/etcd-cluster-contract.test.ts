import { afterAll, beforeAll, describe } from "@jest/globals";

import { openEtcdStore } from "../../src/index.ts";
import { CountedClock } from "../counted-clock.ts";
import { describeServedStoreInShort } from "../store.contract.ts";
import { EtcdCluster, whyNoEtcd } from "./etcd-process.ts";

(whyNoEtcd ? describe.skip : describe)(`three members${whyNoEtcd ? ` (skipped: ${whyNoEtcd})` : ""}`, () => {
  let cluster: EtcdCluster;
  beforeAll(async () => {
    cluster = await EtcdCluster.start(3);
  });
  afterAll(() => cluster.stop());

  let stores = 0;
  describeServedStoreInShort("etcd", {
    newClock: () => new CountedClock(),
    open: (clock) => openEtcdStore({ endpoints: cluster.endpoints, prefix: `/test-${stores++}/`, clock }),
  });
});
