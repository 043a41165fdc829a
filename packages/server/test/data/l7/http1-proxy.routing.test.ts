import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import type { ActionUnit, PolicyUnit, RuleUnit } from "../../../src/snapshot/snapshot.ts";
import type { Peer, PeerServer } from "../transport/peer.ts";
import { get, HEAD_END, HttpRig, OK, receives, type RigListener } from "./http-rig.ts";

let rig: HttpRig;
let server: PeerServer;
let client: Peer;

beforeEach(async () => {
  rig = new HttpRig();
  server = await rig.backend();
  client = await rig.client();
});
afterEach(() => rig.close());

async function ask(request: string, at = server): Promise<Peer> {
  await client.send(request);
  const backend = await at.next();
  await receives(backend, /\r\n\r\n/);
  return backend;
}

async function answered(request: string, pattern = /\r\n\r\n/): Promise<string> {
  await client.send(request);
  return receives(client, pattern);
}

const rule = (type: RuleUnit["type"], compareType: RuleUnit["compareType"], value: string): RuleUnit => ({
  id: "rule",
  type,
  compareType,
  value,
  invert: false,
});
const policy = (action: ActionUnit, ...rules: RuleUnit[]): PolicyUnit => ({
  id: "policy",
  name: "policy",
  rules,
  action,
  setResponseHeaders: [{ name: "X-Policy", value: "here" }],
});
const toPool = (part: object = {}): ActionUnit => ({
  type: "REDIRECT_TO_POOL",
  pools: [{ poolId: "other", weight: 1 }],
  setRequestHeaders: [],
  ...part,
});
const routed = (...policies: PolicyUnit[]): RigListener => ({ http: { policies } });
const API = rule("PATH", "STARTS_WITH", "/api/");

describe("policies", () => {
  it("redirect", async () => {
    const action: ActionUnit = { type: "REDIRECT_PREFIX", url: "https://#{host}/v2", code: 308 };
    rig.update(routed(policy(action, API)));
    const answer = await answered(get("/api/x?y"));
    expect(answer).toMatch(/^HTTP\/1.1 308 Permanent Redirect\r\n/);
    expect(answer).toContain("\r\nLocation: https://app.example/v2/api/x?y\r\nX-Policy: here\r\n");
    await receives(await ask(get("/")), HEAD_END);
  });

  it("answer by themselves, to HEAD without the body", async () => {
    const action: ActionUnit = { type: "FIXED_RESPONSE", code: 200, contentType: "text/html", body: "<p>hé" };
    rig.update(routed(policy(action, API)));
    const head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Policy: here\r\nContent-Length: 6\r\n\r\n";
    expect(await answered("HEAD /api/ HTTP/1.1\r\nHost: a\r\n\r\n")).toBe(head);
    expect(await answered(get("/api/"), /h..$/)).toBe(`${head}${head}${Buffer.from("<p>hé").toString("latin1")}`);
  });

  it("answer many pipelined requests without growing the stack", async () => {
    const action: ActionUnit = { type: "FIXED_RESPONSE", code: 204, contentType: "", body: "" };
    rig.update(routed(policy(action, API)));
    await client.send("GET /api/ HTTP/1.1\r\nHost:a\r\n\r\n".repeat(5000));
    await receives(client, /^(?:HTTP\/1.1 204 No Content\r\nX-Policy: here\r\n\r\n){5000}$/);
  });

  it("reject, and refuse ambiguous paths", async () => {
    rig.update(routed(policy({ type: "REJECT" }, API)));
    expect(await answered(get("/api/x"))).toMatch(/^HTTP\/1.1 403 /);
    expect(await answered(get("/a/../api/x"), /400/)).toContain("HTTP/1.1 400 ");
    expect(rig.account.rejected).toEqual(["policy", "bad-request"]);
  });

  it("send to another pool, with other path, host and headers", async () => {
    const other = await rig.backend("other", rig.pool("other"));
    const setRequestHeaders = [
      { name: "X-Add", value: "1" },
      { name: "X-Gone", value: "" },
    ];
    const rewrite = { rewriteHost: "in.example", rewritePath: { from: "/api/", to: "/" }, setRequestHeaders };
    rig.update(routed(policy(toPool(rewrite), API)));
    const backend = await ask(get("/api/x?y", "X-Gone: 1\r\n"), other);
    const request = await receives(backend, HEAD_END);
    expect(request).toMatch(/^GET \/x\?y HTTP\/1.1\r\nHost: in.example\r\n/);
    expect(request).toContain("\r\nX-Add: 1\r\n");
    expect(request).not.toContain("X-Gone");
    await backend.send(OK);
    expect(await receives(client, /ok$/)).toContain("\r\nX-Policy: here\r\n");
  });

  it("share requests among pools by weight", async () => {
    const other = await rig.backend("other", rig.pool("other"));
    const pools = [
      { poolId: "pool", weight: 1 },
      { poolId: "other", weight: 3 },
    ];
    rig.update(routed(policy(toPool({ pools }), API)));
    rig.random = 0.24;
    await (await ask(get("/api/"))).send(OK);
    await receives(client, /ok$/);
    rig.random = 0.26;
    await ask(get("/api/"), other);
  });
});

describe("sessions by cookie", () => {
  const session = { type: "LB_COOKIE", cookieName: "SID", timeoutS: 0 } as const;
  let second: PeerServer;

  beforeEach(async () => {
    second = await rig.backend("second");
    rig.pool("pool", { session, backendIds: ["backend", "second"] });
  });

  /** A session with the second backend; the first one comes first in the pool otherwise. */
  async function begin(): Promise<string> {
    rig.balancer.backends.reverse();
    await (await ask(get(), second)).send(OK);
    const [, cookie] = /\r\nSet-Cookie: (SID=[\w-]{24}); Path=\/; HttpOnly; SameSite=Lax\r\n/.exec(
      await receives(client, /ok$/),
    )!;
    rig.balancer.backends.reverse();
    return cookie!;
  }

  it("come back to their backend, which does not see our cookie", async () => {
    const cookie = await begin();
    await client.send(get("/2", `Cookie: a=1; ${cookie}; b=2\r\n`));
    const backend = second.peers[0]!;
    expect(await receives(backend, /GET \/2[^]*\r\n\r\n$/)).toContain("\r\nCookie: a=1; b=2\r\n");
    await backend.send(OK);
    expect((await receives(client, /\nok[^]*\nok$/)).match(/Set-Cookie/g)).toHaveLength(1);
  });

  it("end with another cookie when their backend is given up", async () => {
    const cookie = await begin();
    rig.balancer.outcome = "end";
    await (await ask(get("/2", `Cookie: ${cookie}\r\n`))).send(OK);
    expect((await receives(client, /\nok[^]*\nok$/)).match(/Set-Cookie/g)).toHaveLength(2);
  });

  it("are kept over a detour", async () => {
    const cookie = await begin();
    rig.balancer.outcome = "detour";
    await (await ask(get("/2", `Cookie: ${cookie}\r\n`))).send(OK);
    expect((await receives(client, /\nok[^]*\nok$/)).match(/Set-Cookie/g)).toHaveLength(1);
  });

  it("do not believe a cookie that is not ours", async () => {
    await begin();
    await ask(get("/2", `Cookie: SID=${"A".repeat(24)}\r\n`));
  });

  it("with APP_COOKIE begin when the backend sets its own", async () => {
    const app = { type: "APP_COOKIE", cookieName: "JSESSIONID", timeoutS: 0 } as const;
    rig.pool("pool", { session: app, backendIds: ["backend", "second"] });
    const backend = await ask(get());
    await backend.send("HTTP/1.1 200 OK\r\nSet-Cookie: JSESSIONID=x\r\nContent-Length: 2\r\n\r\nok");
    expect(await receives(client, /ok$/)).toMatch(/\r\nSet-Cookie: FIBERLB-JSESSIONID=[\w-]{24}; Path/);
  });
});

describe("WebSocket", () => {
  const UPGRADE = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n";
  const SWITCH = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";

  it("is a tunnel after the backend's 101, in both directions and to the end of each", async () => {
    const backend = await ask(get("/ws", UPGRADE));
    expect(await receives(backend, HEAD_END)).toMatch(/\r\nConnection: upgrade\r\nUpgrade: websocket\r\n/);
    await client.send("early");
    await backend.send(`${SWITCH}first`);
    expect(await receives(client, /first$/)).toMatch(/^HTTP\/1.1 101 .*\r\nUpgrade: websocket\r\n.*first$/s);
    await receives(backend, /early$/);
    await client.send("ping");
    await receives(backend, /ping$/);
    backend.socket.end("bye");
    await client.end();
    await client.send("last");
    await receives(backend, /last$/);
    client.socket.end();
    await backend.end();
    await rig.account.until(() => rig.account.closed === 1);
    expect(rig.balancer.log).toEqual(["backend connected", "backend released"]);
  });

  it("is a plain request when the backend does not switch", async () => {
    const backend = await ask(get("/ws", UPGRADE));
    await backend.send(OK);
    expect(await receives(client, /ok$/)).toBe(OK);
    await client.send(get("/2"));
    await receives(backend, /GET \/2/);
  });

  it("that falls silent is ended", async () => {
    rig.update({ clientIdleTimeoutMs: 1000 });
    const backend = await ask(get("/ws", UPGRADE));
    await backend.send(SWITCH);
    await receives(client, HEAD_END);
    rig.clock.advance(1500);
    await Promise.all([client.closed, backend.closed]);
  });

  it("other protocols do not pass", async () => {
    const backend = await ask(
      get("/", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"),
    );
    expect(await receives(backend, HEAD_END)).not.toMatch(/upgrade|settings/i);
  });
});

describe("pools that hash something of a request", () => {
  const HEADERS = "X-User: ann\r\nCookie: a=1; user=bob\r\nx-user: cy\r\n";

  it.each([
    ["a header, all of them as one", { type: "HEADER", name: "x-user" }, HEADERS, "ann, cy"],
    ["a cookie", { type: "COOKIE", name: "user" }, HEADERS, "bob"],
    ["a header that is not there", { type: "HEADER", name: "x-user" }, "", undefined],
    ["a cookie that is not there", { type: "COOKIE", name: "User" }, HEADERS, undefined],
  ] as const)("are told %s", async (_what, hashKey, headers, hashText) => {
    rig.pool("pool", undefined, hashKey);
    const backend = await ask(get("/", headers));
    expect(rig.balancer.flows.map((flow) => flow.hashText)).toEqual([hashText]);
    // Nothing of it stays for the next request on the connection.
    await backend.send(OK);
    await receives(client, /ok$/);
    rig.pool("pool");
    await client.send(get("/second", headers));
    await receives(backend, /GET \/second [^]*\r\n\r\n$/);
    expect(rig.balancer.flows.map((flow) => flow.hashText)).toEqual([hashText, undefined]);
  });
});
