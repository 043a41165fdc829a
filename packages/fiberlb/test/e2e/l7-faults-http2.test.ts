import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";

import { runH2load, whyNoH2load } from "./load/h2load.ts";
import { WebBed } from "./load/web-bed.ts";

jest.setTimeout(180_000);

const SECONDS = 9;
const CONNECTIONS = 4;
const STREAMS = 4;
/** Sees within half a second that a backend is away, and within a quarter that it is back. */
const HEALTH_CHECK = { intervalMs: 250, timeoutMs: 250, rise: 1, fall: 2 };

let bed: WebBed;

beforeEach(async () => {
  bed = await WebBed.start({ healthCheck: HEALTH_CHECK });
});
afterEach(() => bed.close());

const why = whyNoH2load;
(why ? describe.skip : describe)(`backends die under HTTP/2 load${why ? ` (skipped: ${why})` : ""}`, () => {
  test("h2load: GET is repeated and never fails", async () => {
    const job = { url: bed.url(), connections: CONNECTIONS, streams: STREAMS, seconds: SECONDS };
    const { kills, report } = await bed.killInTurnDuring(runH2load(job));
    const { requests, failed, detail } = report;
    process.stdout.write(
      `${kills} backends killed under h2load with ${CONNECTIONS} connections of ${STREAMS} streams: ` +
        `${requests} requests, ${failed} failed (${detail})\n`,
    );
    expect(requests).toBeGreaterThan(20 * kills);
    // A response leaves a backend in one piece, so that a GET in flight is either answered or can be repeated.
    expect({ failed, detail }).toMatchObject({ failed: 0 });
  });
});
