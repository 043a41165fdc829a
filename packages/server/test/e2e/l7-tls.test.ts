import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import type { TLSSocket } from "node:tls";

import {
  type FiberlbClient,
  L7CompareType,
  L7PolicyAction,
  L7RuleType,
  ListenerProtocol,
  SessionPersistenceType,
  TlsVersion,
} from "@fiberlb/api";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";

import { freePort, startNamedServer } from "../data/tcp-peers.ts";
import { Peer } from "../data/transport/peer.ts";
import type { Issued } from "../openssl.ts";
import { type Curled, curl, whyNoCurl } from "./curl.ts";
import { type Declared, declare, untilApplied } from "./declare.ts";
import { seenBy } from "./http-client.ts";
import { addPolicy, pathStarts } from "./policies.ts";
import { startTestNode, type TestNode } from "./test-node.ts";
import { declareHttps, openTls, TlsMaterial, uploadServer } from "./tls-material.ts";
import { startWebServers, type WebServer } from "./web-server.ts";
import { startWebSocketEcho } from "./websocket-echo.ts";

jest.setTimeout(60_000);

let node: TestNode;
let client: FiberlbClient;
let webs: readonly WebServer[];
let material: TlsMaterial;
/** Certificates by their first name, and their ids; the first is the default. */
let certificates: Readonly<Record<string, Issued>>;
let certificateIds: string[];

beforeAll(async () => {
  material = new TlsMaterial();
  certificates = Object.fromEntries(
    [["default.example"], ["one.example", "www.one.example"], ["two.example"], ["*.wild.example"]].map((names) => [
      names[0]!,
      material.issue(...names),
    ]),
  );
  webs = await startWebServers("a", "b");
  node = await startTestNode();
  ({ client } = node);
  const ids: string[] = [];
  for (const certificate of Object.values(certificates)) ids.push(await uploadServer(client, certificate));
  certificateIds = ids;
});
afterAll(async () => {
  await node?.stop();
  await Promise.all(webs.map((web) => web.close()));
  material.remove();
});

const declareWeb = (listener: object = {}, pool: object = {}): Promise<Declared> =>
  declareHttps(client, { pool, listener: { certificateIds, ...listener }, backends: [{ port: webs[0]!.port }] });

/** curl to a name that leads to the listener, with our authority alone. */
function curlTo({ host, port }: Declared, name: string, ...args: readonly string[]): Promise<Curled> {
  const resolve = ["--http1.1", "--resolve", `${name}:${port}:${host}`];
  return curl([...resolve, "--cacert", material.caFile, ...args, `https://${name}:${port}/`]);
}

/** Common name of the certificate that a client of that server name is shown. */
async function shownTo(lb: Declared, servername: string | undefined): Promise<string> {
  const socket = await openTls(lb, { ca: material.authority.pem, servername, checkServerIdentity: () => undefined });
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
}

(whyNoCurl ? describe.skip : describe)(`HTTPS from curl${whyNoCurl ? ` (skipped: ${whyNoCurl})` : ""}`, () => {
  test.each(["default.example", "one.example", "www.one.example", "two.example", "any.wild.example"])(
    "%s is served with its certificate",
    async (name) => {
      const answer = await curlTo(await declareWeb(), name);
      expect(answer).toMatchObject({ exitCode: 0, status: 200, account: { ssl_verify_result: 0 } });
      expect(JSON.parse(answer.body)).toMatchObject({ name: "a", headers: { "x-forwarded-proto": "https" } });
    },
  );

  test.each(["unknown.example", "two.labels.wild.example", "wild.example"])(
    "%s, which no certificate is for, is not trusted",
    async (name) => {
      expect(await curlTo(await declareWeb(), name)).toMatchObject({ exitCode: 60, status: 0 });
    },
  );

  test("http is sent to https, and followed there", async () => {
    const secure = await declareWeb();
    const { host, port, loadBalancerId } = secure;
    const plainPort = await freePort(host);
    const wanted = { loadBalancerId, protocol: ListenerProtocol.HTTP, port: plainPort, defaultPoolId: secure.poolId };
    const { id: listenerId } = (await client.listeners.createListener(wanted)).listener!;
    const policy = {
      action: L7PolicyAction.REDIRECT_TO_URL,
      redirectUrl: `https://#{host}:${port}/#{path}?#{query}`,
      redirectHttpCode: 308,
    };
    await addPolicy(client, { listenerId, loadBalancerId }, { policy, rules: [pathStarts("/")] });
    const resolve = [port, plainPort].flatMap((one) => ["--resolve", `one.example:${one}:${host}`]);
    const follow = ["--http1.1", "-L", "-o", "/dev/null", "--cacert", material.caFile];
    const answer = await curl([...resolve, ...follow, "-d", "x", `http://one.example:${plainPort}/p?q=1`]);
    const url_effective = `https://one.example:${port}/p?q=1`;
    expect(answer).toMatchObject({ exitCode: 0, account: { http_code: 200, num_redirects: 1, url_effective } });
  });

  test("the oldest version of TLS that is taken can be set", async () => {
    const old = ["--tls-max", "1.2"];
    expect(await curlTo(await declareWeb(), "one.example", ...old)).toMatchObject({ exitCode: 0, status: 200 });
    const strict = await declareWeb({ tlsMinVersion: TlsVersion.TLS_1_3 });
    expect(await curlTo(strict, "one.example", ...old)).toMatchObject({ exitCode: 35, status: 0 });
    expect(await curlTo(strict, "one.example")).toMatchObject({ exitCode: 0, status: 200 });
    const ancient = ["--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0"];
    expect(await curlTo(await declareWeb(), "one.example", ...ancient)).toMatchObject({ exitCode: 35, status: 0 });
  });

  test("an upload of 32 MiB", async () => {
    const MIB = 1024 ** 2;
    const lb = await declareWeb();
    const resolve = ["--http1.1", "--resolve", `one.example:${lb.port}:${lb.host}`, "--cacert", material.caFile];
    const chunks = Array.from({ length: 32 }, () => Buffer.alloc(MIB));
    const upload = await curl([...resolve, "-T", "-", `https://one.example:${lb.port}/up`], chunks);
    expect(JSON.parse(upload.body)).toMatchObject({ bytes: 32 * MIB });
  });
});

test("without SNI, or with a name that nobody knows, the first certificate is shown", async () => {
  const lb = await declareWeb();
  expect(await shownTo(lb, undefined)).toBe("default.example");
  expect(await shownTo(lb, "unknown.example")).toBe("default.example");
  expect(await shownTo(lb, "ONE.example")).toBe("one.example");
  expect(await shownTo(lb, "x.wild.example")).toBe("*.wild.example");
});

/** A client that asks over one TLS connection. */
class Keeper {
  readonly #socket: TLSSocket;
  #received = "";

  constructor(socket: TLSSocket) {
    this.#socket = socket.setEncoding("utf8");
    socket.on("data", (text: string) => (this.#received += text));
  }

  static async open(lb: Declared, servername = "one.example"): Promise<Keeper> {
    return new Keeper(await openTls(lb, { ca: material.authority.pem, servername, ALPNProtocols: ["http/1.1"] }));
  }

  /** Status of the answer, which must have a body in JSON. */
  async ask(
    path = "/",
    headers = "",
  ): Promise<{ readonly status: number; readonly head: string; readonly text: string }> {
    this.#received = "";
    this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: one.example\r\n${headers}\r\n`);
    for (;;) {
      const [, head = "", text = ""] = /^([^]*?\r\n\r\n)([^]*)$/.exec(this.#received) ?? [];
      const length = /content-length: (\d+)/i.exec(head)?.[1];
      if (length !== undefined && text.length >= Number(length))
        return { status: Number(head.split(" ")[1]), head, text };
      await once(this.#socket, "data");
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}

test("HSTS, Secure cookies, and what backends are told of the scheme", async () => {
  const lb = await declareWeb(
    { hstsMaxAgeS: 31_536_000 },
    { sessionPersistence: { type: SessionPersistenceType.LB_COOKIE } },
  );
  await addPolicy(client, lb, { policy: { action: L7PolicyAction.REJECT }, rules: [pathStarts("/no")] });
  const keeper = await Keeper.open(lb);
  const answer = await keeper.ask();
  expect(answer.head).toMatch(/\r\nStrict-Transport-Security: max-age=31536000\r\n/i);
  expect(answer.head).toMatch(/\r\nSet-Cookie: FIBERLB=[\w-]{24};.*; Secure\r\n/i);
  const { headers } = seenBy({ status: 200, headers: {}, text: answer.text });
  expect(headers).toMatchObject({ "x-forwarded-proto": "https", "x-forwarded-port": String(lb.port) });
  expect((await keeper.ask("/no")).head).toMatch(/\r\nStrict-Transport-Security: max-age=31536000\r\n/i);
  keeper.close();
});

test("a certificate is exchanged for the next handshake, and nobody's connection is dropped", async () => {
  const lb = await declareWeb();
  const held = await Promise.all(Array.from({ length: 8 }, () => Keeper.open(lb)));
  for (const keeper of held) expect(await keeper.ask()).toMatchObject({ status: 200 });
  const renewed = await uploadServer(client, material.issue("renewed.example", "one.example"));
  await client.listeners.updateListener({
    listener: { id: lb.listenerId, certificateIds: [renewed] },
    updateMask: { paths: ["certificate_ids"] },
  });
  await untilApplied(client, lb.loadBalancerId);
  for (let i = 0; i < 8; i++) expect(await shownTo(lb, "one.example")).toBe("renewed.example");
  for (const keeper of held) {
    expect(await keeper.ask()).toMatchObject({ status: 200 });
    keeper.close();
  }
});

test("policies see the name of the handshake, and that there is no certificate of the client", async () => {
  const lb = await declareWeb();
  const { EQUAL_TO } = L7CompareType;
  const fixed = (body: string) => ({ action: L7PolicyAction.FIXED_RESPONSE, fixedResponse: { body } });
  const two = { type: L7RuleType.SNI, compareType: EQUAL_TO, value: "two.example" };
  await addPolicy(client, lb, { policy: fixed("two"), rules: [two] });
  const none = { type: L7RuleType.SSL_CONN_HAS_CERT, compareType: EQUAL_TO, value: "false" };
  await addPolicy(client, lb, { policy: fixed("no certificate"), rules: [none] });
  for (const [servername, text] of [
    ["two.example", "two"],
    ["one.example", "no certificate"],
  ] as const) {
    const keeper = await Keeper.open(lb, servername);
    expect(await keeper.ask()).toMatchObject({ status: 200, text });
    keeper.close();
  }
});

test("a WebSocket over TLS", async () => {
  const echo = await startWebSocketEcho();
  try {
    const lb = await declareHttps(client, { listener: { certificateIds }, backends: [{ port: echo.port }] });
    const upgrade = { Connection: "Upgrade", Upgrade: "websocket" };
    const headers = { ...upgrade, "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13" };
    const options = { host: lb.host, port: lb.port, servername: "one.example", ca: material.authority.pem };
    const [response, socket] = (await once(request({ ...options, headers, agent: false }).end(), "upgrade")) as [
      IncomingMessage,
      TLSSocket,
    ];
    expect(response).toMatchObject({
      statusCode: 101,
      headers: { "sec-websocket-accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" },
    });
    // "hi" in a frame of text, masked with zeros there and unmasked back (RFC 6455 §5.2).
    socket.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]));
    let received = Buffer.alloc(0);
    while (received.length < 4) received = Buffer.concat([received, ((await once(socket, "data")) as [Buffer])[0]]);
    expect([...received]).toEqual([0x81, 2, 0x68, 0x69]);
    expect(echo.handshakes).toMatchObject([{ "x-forwarded-proto": "https" }]);
    socket.destroy();
  } finally {
    await echo.close();
  }
});

test("what is no TLS is let go, and the next client is served", async () => {
  const lb = await declareWeb();
  const peer = await Peer.connect({ address: lb.host, port: lb.port });
  await peer.read().send("GET / HTTP/1.1\r\nHost: one.example\r\n\r\n");
  await Promise.race([peer.end().catch(() => undefined), peer.closed]);
  expect(peer.received.toString("latin1")).not.toContain("200");
  peer.socket.destroy();
  const keeper = await Keeper.open(lb);
  expect(await keeper.ask()).toMatchObject({ status: 200 });
  keeper.close();
});

test("a TLS listener takes TLS off and hands TCP on, both ways and to its end", async () => {
  const server = await startNamedServer("tcp");
  try {
    const listener = { protocol: ListenerProtocol.TLS, certificateIds, alpnProtocols: ["custom/1"] };
    const lb = await declare(client, { listener, backends: [{ port: server.port }] });
    const ca = material.authority.pem;
    const socket = await openTls(lb, { ca, servername: "two.example", ALPNProtocols: ["custom/1"] });
    expect(socket.alpnProtocol).toBe("custom/1");
    expect(socket.getPeerCertificate().subject.CN).toBe("two.example");
    const sent = Buffer.alloc(4 * 1024 ** 2, "0123456789");
    socket.end(sent);
    const received: Buffer[] = [];
    for await (const chunk of socket) received.push(chunk as Buffer);
    expect(Buffer.concat(received).equals(Buffer.concat([Buffer.from("tcp\n"), sent]))).toBe(true);
  } finally {
    await server.close();
  }
});
