import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";

import { WebBed } from "./load/web-bed.ts";
import { type LoadReport, runWrk, whyNoWrk, type WrkJob } from "./load/wrk.ts";

jest.setTimeout(180_000);

const SECONDS = 9;
/** Of each of two loads. */
const CONNECTIONS = 8;
/** Sees within half a second that a backend is away, and within a quarter that it is back. */
const HEALTH_CHECK = { intervalMs: 250, timeoutMs: 250, rise: 1, fall: 2 };

let bed: WebBed;

beforeEach(async () => {
  bed = await WebBed.start({ healthCheck: HEALTH_CHECK });
});
afterEach(() => bed.close());

const describeReport = (what: string, { requests, failed, detail }: LoadReport): string =>
  `${what} ${requests}, ${failed} failed${failed > 0 ? ` (${detail})` : ""}`;

(whyNoWrk ? describe.skip : describe)(`backends die under load${whyNoWrk ? ` (skipped: ${whyNoWrk})` : ""}`, () => {
  test("wrk: GET is repeated and never fails; of POST only what was in flight on the killed one does", async () => {
    const job: WrkJob = { url: bed.url(), connections: CONNECTIONS, seconds: SECONDS };
    const loads = Promise.all([runWrk(job), runWrk({ ...job, method: "POST" })]);
    const { kills, report } = await bed.killInTurnDuring(loads);
    const [get, post] = report;
    // The loads share the connections to backends, and each of these that dies fails one request at most. Without
    // repeated connects hundreds would fail while one backend is away.
    const inFlight = kills * 2 * CONNECTIONS;
    process.stdout.write(
      `${kills} backends killed under wrk with 2 × ${CONNECTIONS} connections: ${describeReport("GET", get)}; ` +
        `${describeReport("POST", post)} of at most ${inFlight} in flight\n`,
    );
    expect(get.requests).toBeGreaterThan(20 * kills);
    expect(post.requests).toBeGreaterThan(20 * kills);
    // A response leaves a backend in one piece, so that a GET in flight is either answered or can be repeated.
    expect(get).toMatchObject({ failed: 0 });
    expect(post.failed).toBeLessThanOrEqual(inFlight);
  });
});
