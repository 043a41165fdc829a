import { rmSync } from "node:fs";

import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";

import { type Declared, declare, untilProvisioned } from "./api.ts";
import { freePort } from "./echo-server.ts";
import { startWebProcess, type WebProcess } from "./load/processes.ts";
import { type LoadReport, runWrk, type WrkJob, whyNoWrk } from "./load/wrk.ts";
import { BACKEND_NETWORK, type NodeProcess, startNode, VIP_NETWORK } from "./node-process.ts";
import { until } from "./until.ts";

jest.setTimeout(180_000);

const SECONDS = 9;
/** Of each of two loads. */
const CONNECTIONS = 8;
/** Sees within half a second that a backend is away, and within a quarter that it is back. */
const HEALTH_CHECK = { intervalMs: 250, timeoutMs: 250, rise: 1, fall: 2 };

let node: NodeProcess;
let lb: Declared;
let webs: WebProcess[];

beforeEach(async () => {
  webs = await Promise.all(
    ["a", "b", "c"].map((name, index) => startWebProcess({ name, host: `${BACKEND_NETWORK}.${index + 1}` })),
  );
  node = await startNode({ config: { shutdown: { drainTimeoutMs: 0 } } });
  const vipAddress = `${VIP_NETWORK}.1`;
  lb = await declare(node.api, {
    vipAddress,
    port: await freePort(vipAddress),
    pool: { protocol: "POOL_PROTOCOL_HTTP" },
    listener: { protocol: "LISTENER_PROTOCOL_HTTP" },
    backends: webs.map(({ host, port }) => ({ address: host, port })),
    healthCheck: HEALTH_CHECK,
  });
  await untilProvisioned(node.api, lb);
});
afterEach(async () => {
  await Promise.all([node.program.kill(), ...webs.map(({ program }) => program.kill())]);
  rmSync(node.folder, { recursive: true });
});

const untilStatus = (id: string | undefined, status: "ONLINE" | "OFFLINE"): Promise<unknown> =>
  until(
    `the backend is ${status}`,
    () => node.api.resource("BackendService/GetBackend", { id }),
    (backend) => backend["status"] === `BACKEND_STATUS_${status}`,
  );

/**
 * Kills (-9) one backend after the other until the load is over, about one a second: each is away until the health
 * checks notice, so that requests meet its closed port, and back before the next one goes.
 */
async function killInTurnDuring<T>(load: Promise<T>): Promise<{ readonly kills: number; readonly report: T }> {
  const over = new AbortController();
  const report = load.finally(() => over.abort());
  let kills = 0;
  for (; !over.signal.aborted; kills++) {
    const index = kills % webs.length;
    const web = webs[index]!;
    await web.program.kill();
    await untilStatus(lb.backendIds[index], "OFFLINE");
    webs[index] = await startWebProcess(web);
    await untilStatus(lb.backendIds[index], "ONLINE");
  }
  return { kills, report: await report };
}

const describeReport = (what: string, { requests, failed, detail }: LoadReport): string =>
  `${what} ${requests}, ${failed} failed${failed > 0 ? ` (${detail})` : ""}`;

(whyNoWrk ? describe.skip : describe)(`backends die under load${whyNoWrk ? ` (skipped: ${whyNoWrk})` : ""}`, () => {
  test("wrk: GET is repeated and never fails; of POST only what was in flight on the killed one does", async () => {
    const job: WrkJob = { url: `http://${lb.host}:${lb.port}/`, connections: CONNECTIONS, seconds: SECONDS };
    const loads = Promise.all([runWrk(job), runWrk({ ...job, method: "POST" })]);
    const { kills, report } = await killInTurnDuring(loads);
    const [get, post] = report;
    // The loads share the connections to backends, and each of these that dies fails one request at most. Without
    // repeated connects hundreds would fail while one backend is away.
    const inFlight = kills * 2 * CONNECTIONS;
    process.stdout.write(
      `${kills} backends killed under wrk with 2 × ${CONNECTIONS} connections: ${describeReport("GET", get)}; ` +
        `${describeReport("POST", post)} of at most ${inFlight} in flight\n`,
    );
    expect(kills).toBeGreaterThan(1);
    expect(get.requests).toBeGreaterThan(100 * kills);
    expect(post.requests).toBeGreaterThan(100 * kills);
    // A response leaves a backend in one piece, so that a GET in flight is either answered or can be repeated.
    expect(get).toMatchObject({ failed: 0 });
    expect(post.failed).toBeLessThanOrEqual(inFlight);
  });
});
