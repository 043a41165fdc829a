import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";

import { type Api, untilProvisioned } from "./api.ts";
import { WebBed } from "./load/web-bed.ts";
import { type LoadReport, runWrk, whyNoWrk } from "./load/wrk.ts";

jest.setTimeout(180_000);

const SECONDS = 8;
const CONNECTIONS = 16;

let bed: WebBed;
let load: Promise<LoadReport> | undefined;

beforeEach(async () => {
  bed = await WebBed.start({ backends: 2 });
});
afterEach(async () => {
  // When a change has failed, wrk still runs.
  await Promise.allSettled([load]);
  await bed.close();
});

/** One turn of changes, each in force before the next begins, which leaves everything as it was. */
type Change = (api: Api) => AsyncGenerator<string, void>;

const maskOf = (fields: object) => ({ updateMask: Object.keys(fields).join(",") });

async function* changePolicies(api: Api): AsyncGenerator<string, void> {
  const { listenerId } = bed.lb;
  const action = "L7_POLICY_ACTION_REDIRECT_TO_POOL";
  const policy = await api.resource("L7PolicyService/CreateL7Policy", {
    listenerId,
    action,
    redirectPoolId: bed.lb.poolId,
    setResponseHeaders: { "X-Turn": "1" },
  });
  yield "a policy that takes everything";
  const rule = { type: "L7_RULE_TYPE_PATH", compareType: "L7_COMPARE_TYPE_STARTS_WITH", value: "/" };
  await api.call("L7RuleService/CreateL7Rule", { l7PolicyId: policy.id, ...rule });
  yield "a rule";
  await api.call("L7PolicyService/DeleteL7Policy", { id: policy.id, cascade: true });
  yield "no policy";
}

async function* swapPools(api: Api): AsyncGenerator<string, void> {
  const { loadBalancerId, listenerId } = bed.lb;
  const pool = await api.resource("PoolService/CreatePool", { loadBalancerId, protocol: "POOL_PROTOCOL_HTTP" });
  await api.call("BackendService/CreateBackend", { poolId: pool.id, ...bed.spare });
  yield "another pool";
  const setPool = (defaultPoolId: string) =>
    api.call("ListenerService/UpdateListener", {
      listener: { id: listenerId, defaultPoolId },
      ...maskOf({ defaultPoolId }),
    });
  await setPool(pool.id);
  yield "the listener has the other pool";
  await setPool(bed.lb.poolId);
  yield "the listener has its own pool";
  await api.call("PoolService/DeletePool", { id: pool.id, cascade: true });
  yield "no other pool";
}

async function* changeListener(api: Api): AsyncGenerator<string, void> {
  const set = (fields: object) =>
    api.call("ListenerService/UpdateListener", { listener: { id: bed.lb.listenerId, ...fields }, ...maskOf(fields) });
  await set({ clientIdleTimeoutMs: 5000, maxRequestHeaderBytes: 32_768, connectionLimit: 100 });
  yield "narrower limits";
  await set({ allowedCidrs: ["127.0.0.0/8"], addRequestId: false, forwardedHeaders: "FORWARDED_HEADERS_REMOVE" });
  yield "other headers";
  await set({ clientIdleTimeoutMs: 60_000, maxRequestHeaderBytes: 65_536, connectionLimit: 0 });
  await set({ allowedCidrs: [], addRequestId: true, forwardedHeaders: "FORWARDED_HEADERS_APPEND" });
  yield "the listener as it was";
}

async function* changeBackends(api: Api): AsyncGenerator<string, void> {
  const { poolId } = bed.lb;
  const added = await api.resource("BackendService/CreateBackend", { poolId, ...bed.spare });
  yield "one backend more";
  const set = (fields: object) =>
    api.call("BackendService/UpdateBackend", { backend: { id: bed.lb.backendIds[0], ...fields }, ...maskOf(fields) });
  await set({ weight: 0 });
  yield "one that drains";
  await set({ weight: 1 });
  await set({ adminStateUp: false });
  yield "one that is administratively down";
  await set({ adminStateUp: true });
  await api.call("BackendService/DeleteBackend", { id: added.id });
  yield "one backend less";
}

async function* changePool(api: Api): AsyncGenerator<string, void> {
  const set = (fields: object) =>
    api.call("PoolService/UpdatePool", { pool: { id: bed.lb.poolId, ...fields }, ...maskOf(fields) });
  const check = { poolId: bed.lb.poolId, type: "HEALTH_CHECK_TYPE_HTTP", intervalMs: 1000, timeoutMs: 1000 };
  const { id } = await api.resource("HealthCheckService/CreateHealthCheck", check);
  yield "a health check";
  for (const algorithm of ["LEAST_CONNECTIONS", "MAGLEV", "RANDOM", "ROUND_ROBIN"]) {
    await set({ algorithm: `POOL_ALGORITHM_${algorithm}` });
    yield algorithm;
  }
  await set({ sessionPersistence: { type: "SESSION_PERSISTENCE_TYPE_LB_COOKIE" } });
  yield "sessions";
  await set({ sessionPersistence: undefined });
  await api.call("HealthCheckService/DeleteHealthCheck", { id });
  yield "neither health check nor sessions";
}

const CHANGES: readonly Change[] = [changePolicies, swapPools, changeListener, changeBackends, changePool];

(whyNoWrk ? describe.skip : describe)(`settings change under load${whyNoWrk ? ` (skipped: ${whyNoWrk})` : ""}`, () => {
  test("wrk: no request fails, whatever changes", async () => {
    const over = new AbortController();
    load = runWrk({ url: bed.url(), connections: CONNECTIONS, seconds: SECONDS }).finally(() => over.abort());
    const done: string[] = [];
    for (let turn = 0; !over.signal.aborted; turn++) {
      for await (const change of CHANGES[turn % CHANGES.length]!(bed.node.api)) {
        await untilProvisioned(bed.node.api, bed.lb);
        done.push(change);
      }
    }
    const { requests, failed, detail } = await load;
    process.stdout.write(`${done.length} changes under wrk: ${requests} requests, ${failed} failed\n`);
    expect({ failed, detail, last: failed > 0 ? done : [] }).toMatchObject({ failed: 0 });
    expect(requests).toBeGreaterThan(20 * SECONDS);
    expect(new Set(done).size).toBeGreaterThan(3);
  });
});
