import type { RequestListener } from "node:http";

import { type FiberlbClient, L7PolicyAction, SessionPersistenceType } from "@fiberlb/api";
import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from "@jest/globals";

import { type Declared, untilApplied } from "./declare.ts";
import { type Answer, backendOf, cookiesOf, HttpClient, seenBy } from "./http-client.ts";
import { addPolicy, addPool, declareHttp, pathStarts } from "./policies.ts";
import { startTestNode, type TestNode } from "./test-node.ts";
import { until } from "./until.ts";
import { startWebServer, type WebServer } from "./web-server.ts";

jest.setTimeout(60_000);

/** No client calls from there, so that a backend's port stays free while the backend is away. */
const HOST = "127.0.0.3";
/** Enough that both workers and, without a session, all backends would have had one. */
const VISITS = 12;

let node: TestNode;
let client: FiberlbClient;
let webs: WebServer[];
let http: HttpClient;

beforeAll(async () => {
  node = await startTestNode();
  ({ client } = node);
});
afterAll(() => node?.stop());
beforeEach(async () => {
  http = new HttpClient();
  webs = await Promise.all(["a", "b", "c"].map((name) => startWebServer(name, { host: HOST })));
});
afterEach(async () => {
  http.close();
  await Promise.all(webs.map((web) => web.close()));
});

const { LB_COOKIE, APP_COOKIE, SOURCE_IP } = SessionPersistenceType;

const declareSessions = (sessionPersistence: object, { monitored = false, pool = {} } = {}): Promise<Declared> =>
  declareHttp(client, {
    monitored,
    pool: { sessionPersistence, ...pool },
    backends: webs.map(({ host, port }) => ({ address: host, port })),
  });

/** Asks on a connection of its own, which may be with either worker. */
const visit = (lb: Declared, cookies = "", path = "/"): Promise<Answer> =>
  http.ask(lb, path, { headers: { Connection: "close", ...(cookies !== "" && { Cookie: cookies }) } });

/** Who answers several visits. */
async function hosts(lb: Declared, cookies = ""): Promise<ReadonlySet<string | undefined>> {
  const answers: Answer[] = [];
  for (let i = 0; i < VISITS; i++) answers.push(await visit(lb, cookies));
  return new Set(answers.map(backendOf));
}

/** Begins a session. */
async function begin(lb: Declared): Promise<{ readonly backend: string; readonly cookies: string }> {
  const answer = await visit(lb);
  return { backend: backendOf(answer)!, cookies: cookiesOf(answer) };
}

const indexOf = (backend: string): number => webs.findIndex(({ name }) => name === backend);

test("a session outlives its backend's failure elsewhere, and its old cookie leads back when the backend is back", async () => {
  const lb = await declareSessions({ type: LB_COOKIE }, { monitored: true });
  const { backend, cookies } = await begin(lb);
  expect(await hosts(lb, cookies)).toEqual(new Set([backend]));

  const index = indexOf(backend);
  const { host, port } = webs[index]!;
  await webs[index]!.close();
  // Every visit is answered, also before the failure was noticed; then the session begins anew elsewhere.
  const moved = await until(
    "the session begins anew elsewhere",
    () => visit(lb, cookies),
    (answer) => answer.status !== 200 || cookiesOf(answer) !== "",
  );
  expect(moved.status).toBe(200);
  const next = backendOf(moved)!;
  expect(next).not.toBe(backend);
  expect(await hosts(lb, cookiesOf(moved))).toEqual(new Set([next]));

  webs[index] = await startWebServer(backend, { host, port });
  await until(
    "the backend that is back serves",
    () => hosts(lb),
    (names) => names.size === 3,
  );
  expect(await hosts(lb, cookiesOf(moved))).toEqual(new Set([next]));
  expect(await hosts(lb, cookies)).toEqual(new Set([backend]));
});

test.each<[string, object, string]>([
  ["weight 0", { weight: 0 }, "weight"],
  ["administratively down", { adminStateUp: false }, "admin_state_up"],
])(
  "a backend that drains (%s) keeps its sessions, gets no new ones, and loses them when the drain ends",
  async (_how, change, path) => {
    const lb = await declareSessions({ type: LB_COOKIE }, { pool: { drainTimeoutS: 3 } });
    const { backend, cookies } = await begin(lb);
    const id = lb.backendIds[indexOf(backend)]!;
    await client.backends.updateBackend({ backend: { id, ...change }, updateMask: { paths: [path] } });
    await untilApplied(client, lb.loadBalancerId);
    expect(backendOf(await visit(lb, cookies))).toBe(backend);
    expect([...(await hosts(lb))]).not.toContain(backend);
    const moved = await until(
      "the drain has ended",
      () => visit(lb, cookies),
      (answer) => backendOf(answer) !== backend,
    );
    expect(moved.status).toBe(200);
    expect(await hosts(lb, cookiesOf(moved))).toEqual(new Set([backendOf(moved)]));
  },
);

test("a backend never sees the cookie, and one that was made up is worth nothing", async () => {
  const lb = await declareSessions({ type: LB_COOKIE, cookieName: "SID", timeoutS: 3600 });
  const first = await visit(lb);
  expect(first.headers["set-cookie"]).toEqual([
    expect.stringMatching(/^SID=[\w-]{24}; Path=\/; Max-Age=3600;.* HttpOnly; SameSite=Lax$/),
  ]);
  const seen = seenBy(await visit(lb, `theme=dark; ${cookiesOf(first)}; lang=en`));
  expect(seen.headers["cookie"]).toBe("theme=dark; lang=en");
  const forged = cookiesOf(first).replace(/.$/, (last) => (last === "A" ? "B" : "A"));
  expect((await hosts(lb, forged)).size).toBe(3);
});

test("APP_COOKIE follows the application's own cookie, and goes with it", async () => {
  const handle: RequestListener = ({ url }, response) => {
    if (url === "/login") response.setHeader("Set-Cookie", ["JSESSIONID=1; Path=/; HttpOnly", "theme=dark"]);
    if (url === "/logout") response.setHeader("Set-Cookie", "JSESSIONID=; Max-Age=0");
    response.end("ok");
  };
  const apps = await Promise.all(["x", "y", "z"].map((name) => startWebServer(name, { handle })));
  try {
    const lb = await declareHttp(client, {
      pool: { sessionPersistence: { type: APP_COOKIE, cookieName: "JSESSIONID" } },
      backends: apps.map(({ port }) => ({ port })),
    });
    expect(cookiesOf(await visit(lb))).toBe("");
    const login = await visit(lb, "", "/login");
    const cookies = cookiesOf(login);
    expect(cookies).toMatch(/^JSESSIONID=1; theme=dark; FIBERLB-JSESSIONID=[\w-]{24}$/);
    expect(await hosts(lb, cookies)).toEqual(new Set([backendOf(login)]));
    expect((await hosts(lb, cookies.replace("JSESSIONID=1; ", ""))).size).toBe(3);
    const logout = await visit(lb, cookies, "/logout");
    expect(backendOf(logout)).toBe(backendOf(login));
    expect(logout.headers["set-cookie"]).toHaveLength(2);
    expect(cookiesOf(logout)).toBe("");
  } finally {
    await Promise.all(apps.map((app) => app.close()));
  }
});

test("SOURCE_IP brings a client's requests to one backend, on every worker", async () => {
  const lb = await declareSessions({ type: SOURCE_IP });
  const chosen = new Set<string | undefined>();
  for (let i = 1; i <= 40; i++) {
    const localAddress = `127.0.8.${i}`;
    const answers = await Promise.all([1, 2, 3].map(() => http.ask(lb, "/", { localAddress })));
    expect(new Set(answers.map(backendOf)).size).toBe(1);
    chosen.add(backendOf(answers[0]!));
  }
  // That one backend is everybody's by chance: once in 3 to the 39th.
  expect(chosen.size).toBeGreaterThan(1);
});

test("with weighted pools a session stays in its pool, whatever the dice say", async () => {
  const lb = await declareSessions({ type: LB_COOKIE });
  const [one, two] = await Promise.all([startWebServer("one"), startWebServer("two")]);
  try {
    const pool = { sessionPersistence: { type: LB_COOKIE } };
    const poolIds = await Promise.all([one, two].map(({ port }) => addPool(client, lb, { pool, ports: [port] })));
    const pools = poolIds.map((poolId) => ({ poolId, weight: 50 }));
    const policy = { action: L7PolicyAction.REDIRECT_TO_POOL, pools };
    await addPolicy(client, lb, { policy, rules: [pathStarts("/")] });
    for (let i = 0; i < 4; i++) {
      const { backend, cookies } = await begin(lb);
      expect(["one", "two"]).toContain(backend);
      expect(await hosts(lb, cookies)).toEqual(new Set([backend]));
    }
  } finally {
    await Promise.all([one.close(), two.close()]);
  }
});
