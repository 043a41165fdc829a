import { describe } from "@jest/globals";

import type { OpenStore } from "./contract/fixture.ts";
import { describeLeases } from "./contract/leases.contract.ts";
import { describeLimits } from "./contract/limits.contract.ts";
import { describeModel } from "./contract/model.contract.ts";
import { describeReads } from "./contract/reads.contract.ts";
import { describeTransactions } from "./contract/transactions.contract.ts";
import { describeWatches } from "./contract/watches.contract.ts";

/** What every store must do: run by the test file of each implementation. */
export function describeStore(name: string, open: OpenStore): void {
  describe(`${name} store`, () => {
    describeReads(open);
    describeTransactions(open);
    describeWatches(open);
    describeLeases(open);
    describeLimits(open);
    describeModel(open);
  });
}
