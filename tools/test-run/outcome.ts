/** A test that failed, or a whole stage when `file` is absent. */
export interface Failure {
  where: string;
  name: string;
  message: string;
}

/** Something that was not run. `count` tests share the reason. */
export interface Skip {
  where: string;
  name: string;
  reason: string;
  count: number;
}

/** What one stage adds to the totals. */
export interface Outcome {
  passed: number;
  failed: number;
  skipped: number;
  failures: Failure[];
  skips: Skip[];
}

export const nothing = (): Outcome => ({ passed: 0, failed: 0, skipped: 0, failures: [], skips: [] });

export const pass = (): Outcome => ({ ...nothing(), passed: 1 });

export const fail = (where: string, message: string, name = ""): Outcome => ({
  ...nothing(),
  failed: 1,
  failures: [{ where, name, message }],
});

export const skip = (where: string, reason: string, name = ""): Outcome => ({
  ...nothing(),
  skipped: 1,
  skips: [{ where, name, reason, count: 1 }],
});

/** Adds up outcomes; the order of failures and skips is kept. */
export const sum = (outcomes: readonly Outcome[]): Outcome => ({
  passed: outcomes.reduce((total, { passed }) => total + passed, 0),
  failed: outcomes.reduce((total, { failed }) => total + failed, 0),
  skipped: outcomes.reduce((total, { skipped }) => total + skipped, 0),
  failures: outcomes.flatMap(({ failures }) => failures),
  skips: outcomes.flatMap(({ skips }) => skips),
});

/** The last line of `npm test`, which CI reads: its form is fixed. */
export const totalsLine = ({ passed, failed, skipped }: Outcome): string =>
  `${passed} passed, ${failed} failed, ${skipped} skipped`;
