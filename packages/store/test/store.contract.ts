import { describe } from "@jest/globals";

import type { Store } from "../src/index.ts";
import type { StoreUnderTest, TestClock } from "./contract/fixture.ts";
import { describeLeaseRealTime, describeLeaseTime } from "./contract/lease-time.contract.ts";
import { describeLeases } from "./contract/leases.contract.ts";
import { describeLimits } from "./contract/limits.contract.ts";
import { describeModel } from "./contract/model.contract.ts";
import { describeReads } from "./contract/reads.contract.ts";
import { describeTransactions } from "./contract/transactions.contract.ts";
import { describeWatches } from "./contract/watches.contract.ts";
import { FakeClock } from "./fake-clock.ts";

/** What every store must do: run by the test file of each implementation that keeps its time itself. */
export function describeStore(name: string, open: (clock: FakeClock) => Promise<Store>): void {
  // Every clock of this subject is a fake one.
  const subject = { open: (clock: TestClock) => open(clock as FakeClock), newClock: () => new FakeClock() };
  describe(`${name} store`, () => {
    describeRules(subject);
    describeLeaseTime(subject);
  });
}

/** The same for a store whose servers keep the time, so that the tests cannot move it. */
export function describeServedStore(name: string, subject: StoreUnderTest): void {
  describe(`${name} store`, () => {
    describeRules(subject);
    describeLeaseRealTime(subject);
  });
}

/** What takes little time of {@link describeServedStore}. */
export function describeServedStoreInShort(name: string, subject: StoreUnderTest): void {
  describe(`${name} store`, () => {
    describeReads(subject);
    describeTransactions(subject);
    describeLeases(subject);
    describeLimits(subject);
  });
}

function describeRules(subject: StoreUnderTest): void {
  describeReads(subject);
  describeTransactions(subject);
  describeWatches(subject);
  describeLeases(subject);
  describeLimits(subject);
  describeModel(subject);
}
