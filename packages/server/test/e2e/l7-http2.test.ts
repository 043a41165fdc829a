import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

import { type FiberlbClient, L7PolicyAction, PoolProtocol, SessionPersistenceType } from "@fiberlb/api";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from "@jest/globals";

import { type Curled, curl, whyNoCurl } from "./curl.ts";
import type { Declared } from "./declare.ts";
import { HttpClient } from "./http-client.ts";
import { addPolicy, declareHttp, hostIs, pathStarts } from "./policies.ts";
import { startTestNode, type TestNode } from "./test-node.ts";
import { declareHttps, TlsMaterial, uploadServer } from "./tls-material.ts";
import { type Seen, startWebServer, type WebServer } from "./web-server.ts";

jest.setTimeout(60_000);

const MIB = 1024 ** 2;
const NAME = "one.example";

let node: TestNode;
let client: FiberlbClient;
let material: TlsMaterial;
let certificateIds: string[];
let webs: readonly WebServer[];
/** A request to /hold is answered when the test says so; a client that goes first is noted. */
let release: () => void;
let held: Promise<void>;
let left: Promise<void>;

beforeAll(async () => {
  material = new TlsMaterial();
  node = await startTestNode();
  ({ client } = node);
  certificateIds = [await uploadServer(client, material.issue(NAME))];
});
afterAll(async () => {
  await node?.stop();
  material.remove();
});
beforeEach(async () => {
  const holding = Promise.withResolvers<void>();
  const arrival = Promise.withResolvers<void>();
  const leaving = Promise.withResolvers<void>();
  release = holding.resolve;
  held = arrival.promise;
  left = leaving.promise;
  webs = await Promise.all(
    ["a", "b"].map((name) =>
      startWebServer(name, {
        handle(request, response) {
          const { method, url = "", headers } = request;
          if (url === "/hold") {
            arrival.resolve();
            response.on("close", () => leaving.resolve());
            return void holding.promise.then(() => response.end("released"));
          }
          if (url === "/large") return void response.end(Buffer.alloc(32 * MIB, "x"));
          let bytes = 0;
          request.on("data", (chunk: Buffer) => (bytes += chunk.length));
          request.on("end", () => {
            response.write(JSON.stringify({ name, method, url, bytes, headers }));
            if (url === "/trailers") response.addTrailers({ "X-Sum": "42" });
            response.end();
          });
        },
      }),
    ),
  );
});
afterEach(() => Promise.all(webs.map((web) => web.close())));

const backends = () => webs.map(({ port }) => ({ port }));

(whyNoCurl ? describe.skip : describe)(`HTTP/2 from curl${whyNoCurl ? ` (skipped: ${whyNoCurl})` : ""}`, () => {
  describe.each(["by ALPN", "by prior knowledge"] as const)("%s", (how) => {
    let lb: Declared;
    let ask: (path: string, args?: readonly string[], input?: Iterable<Uint8Array>) => Promise<Curled>;
    beforeEach(async () => {
      const isTls = how === "by ALPN";
      lb = isTls
        ? await declareHttps(client, { listener: { certificateIds }, backends: backends() })
        : await declareHttp(client, { backends: backends() });
      const resolve = ["--resolve", `${NAME}:${lb.port}:${lb.host}`];
      const flags = isTls ? ["--http2", "--cacert", material.caFile] : ["--http2-prior-knowledge"];
      ask = (path, args = [], input = []) =>
        curl([...resolve, ...flags, ...args, `${isTls ? "https" : "http"}://${NAME}:${lb.port}${path}`], input);
    });

    test("a request and its answer", async () => {
      const answer = await ask("/x?y=1");
      expect(answer).toMatchObject({ exitCode: 0, status: 200, account: { http_version: "2" } });
      const { url, headers } = JSON.parse(answer.body) as Seen;
      expect(url).toBe("/x?y=1");
      const proto = how === "by ALPN" ? "https" : "http";
      expect(headers).toMatchObject({ host: `${NAME}:${lb.port}`, "x-forwarded-proto": proto });
      expect(answer.headers).not.toHaveProperty("transfer-encoding");
      expect(answer.headers).not.toHaveProperty("connection");
    });

    test("uploads with a length and without, and HEAD", async () => {
      const chunks = Array.from({ length: 16 }, () => Buffer.alloc(MIB));
      const known = await ask("/up", ["--data-binary", "@-"], chunks);
      expect(JSON.parse(known.body)).toMatchObject({ method: "POST", bytes: 16 * MIB });
      const unknown = await ask("/up", ["-T", "-"], chunks);
      expect(JSON.parse(unknown.body)).toMatchObject({ method: "PUT", bytes: 16 * MIB });
      expect(await ask("/", ["-I"])).toMatchObject({ exitCode: 0, status: 200, body: "" });
    });

    test("a download of 32 MiB", async () => {
      const { exitCode, account } = await ask("/large", ["-o", "/dev/null"]);
      expect([exitCode, account["size_download"]]).toEqual([0, 32 * MIB]);
    });
  });

  test("a client that offers only HTTP/1.1 gets it, and so does a listener that offers nothing else", async () => {
    const both = await declareHttps(client, { listener: { certificateIds }, backends: backends() });
    const old = await declareHttps(client, {
      listener: { certificateIds, alpnProtocols: ["http/1.1"] },
      backends: backends(),
    });
    for (const [lb, flag] of [
      [both, "--http1.1"],
      [old, "--http2"],
    ] as const) {
      const resolve = ["--resolve", `${NAME}:${lb.port}:${lb.host}`, "--cacert", material.caFile];
      const answer = await curl([...resolve, flag, `https://${NAME}:${lb.port}/`]);
      expect(answer).toMatchObject({ exitCode: 0, status: 200, account: { http_version: "1.1" } });
    }
  });
});

/** What came on a stream. */
interface StreamAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly text: string;
}

async function readStream(stream: ClientHttp2Stream): Promise<StreamAnswer> {
  let trailers: IncomingHttpHeaders = {};
  stream.on("trailers", (fields) => (trailers = fields));
  const [headers] = (await once(stream, "response")) as [IncomingHttpHeaders];
  const body = await text(stream);
  return { status: Number(headers[":status"]), headers, trailers, text: body };
}

describe("many streams of one connection", () => {
  let lb: Declared;
  let session: ClientHttp2Session;

  beforeEach(async () => {
    lb = await declareHttp(client, { backends: backends() });
    session = connect(`http://${lb.host}:${lb.port}`);
    session.on("error", () => undefined);
  });
  afterEach(() => session.destroy());

  const ask = (path: string, headers: OutgoingHttpHeaders = {}): Promise<StreamAnswer> =>
    readStream(session.request({ ":path": path, ":authority": "app.example", ...headers }));

  test("a hundred at once, shared among backends", async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => ask(`/${index}`)));
    const seen = answers.map((answer) => JSON.parse(answer.text) as Seen);
    expect(seen.map(({ url }) => url)).toEqual(Array.from({ length: 100 }, (_, index) => `/${index}`));
    expect(seen.filter(({ name }) => name === "a")).toHaveLength(50);
  });

  test("trailers pass", async () => {
    expect((await ask("/trailers")).trailers).toMatchObject({ "x-sum": "42" });
  });

  test("a slow one holds nobody up", async () => {
    const slow = ask("/hold");
    await held;
    for (let i = 0; i < 10; i++) expect(await ask("/quick")).toMatchObject({ status: 200 });
    release();
    expect(await slow).toMatchObject({ status: 200, text: "released" });
  });

  test("one that its reader does not read holds nobody up", async () => {
    const large = session.request({ ":path": "/large", ":authority": "app.example" });
    await once(large, "response");
    for (let i = 0; i < 10; i++) expect(await ask("/quick")).toMatchObject({ status: 200 });
    expect((await text(large)).length).toBe(32 * MIB);
  });

  test("one that is cancelled is cancelled at the backend, and the others go on", async () => {
    const stream = session.request({ ":path": "/hold", ":authority": "app.example" });
    stream.on("error", () => undefined);
    await held;
    stream.close(constants.NGHTTP2_CANCEL);
    await left;
    expect(await ask("/next")).toMatchObject({ status: 200 });
  });

  test("policies take them: by authority, with redirects, and cookies that come apart are one header", async () => {
    const redirectUrl = "#{protocol}://#{host}:#{port}/new";
    const redirect = { action: L7PolicyAction.REDIRECT_TO_URL, redirectUrl };
    await addPolicy(client, lb, { policy: redirect, rules: [hostIs("old.example")] });
    await addPolicy(client, lb, { policy: { action: L7PolicyAction.REJECT }, rules: [pathStarts("/no")] });
    const moved = await ask("/x", { ":authority": "old.example:81" });
    expect([moved.status, moved.headers.location]).toEqual([302, "http://old.example:81/new"]);
    expect(await ask("/no")).toMatchObject({ status: 403 });
    const { headers } = JSON.parse((await ask("/", { cookie: ["a=1", "b=2"] })).text) as Seen;
    expect(headers["cookie"]).toBe("a=1; b=2");
  });

  test("too large a header is refused, and the connection goes on or ends in order", async () => {
    const status = await ask("/", { "x-big": "x".repeat(70_000) }).then(
      (answer) => answer.status,
      () => "refused" as const,
    );
    expect([431, "refused"]).toContain(status);
  });

  test("sessions stick", async () => {
    const sticky = await declareHttp(client, {
      pool: { sessionPersistence: { type: SessionPersistenceType.LB_COOKIE } },
      backends: backends(),
    });
    const other = connect(`http://${sticky.host}:${sticky.port}`);
    try {
      const first = await readStream(other.request({ ":path": "/" }));
      const cookie = String(first.headers["set-cookie"]).split(";", 1)[0]!;
      const nameIn = (answer: StreamAnswer): string => (JSON.parse(answer.text) as Seen).name;
      for (let i = 0; i < 10; i++) {
        expect(nameIn(await readStream(other.request({ ":path": "/", cookie })))).toBe(nameIn(first));
      }
    } finally {
      other.destroy();
    }
  });

  test("a client that resets streams as fast as it can is sent away", async () => {
    const closed = new Promise((resolve) => void session.on("close", resolve));
    const reset = (): void => {
      for (let i = 0; i < 100 && !session.closed && !session.destroyed; i++) {
        const stream = session.request({ ":path": "/hold", ":authority": "app.example" });
        stream.on("error", () => undefined);
        stream.close(constants.NGHTTP2_CANCEL);
      }
      if (!session.closed && !session.destroyed) setImmediate(reset);
    };
    reset();
    await closed;
    // Nobody else suffers.
    const next = connect(`http://${lb.host}:${lb.port}`);
    expect(await readStream(next.request({ ":path": "/" }))).toMatchObject({ status: 200 });
    next.destroy();
  });
});

describe("H2C pools", () => {
  let backend: Http2Server;
  let sessions: number;
  let lb: Declared;

  beforeEach(async () => {
    sessions = 0;
    backend = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const { method, url, httpVersion, headers } = request;
        response.end(JSON.stringify({ method, url, httpVersion, headers, bytes: Buffer.concat(chunks).length }));
      });
    });
    backend.on("session", () => (sessions += 1));
    backend.listen(0, "127.0.0.1");
    await once(backend, "listening");
    const { port } = backend.address() as AddressInfo;
    lb = await declareHttp(client, { pool: { protocol: PoolProtocol.H2C }, backends: [{ port }] });
  });
  afterEach(async () => {
    await client.loadBalancers.deleteLoadBalancer({ id: lb.loadBalancerId, cascade: true });
    const closed = once(backend, "close");
    backend.close();
    await closed;
  });

  test("HTTP/1.1 clients are carried over few connections", async () => {
    const http = new HttpClient(16);
    const body = Buffer.alloc(MIB);
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => http.ask(lb, "/x", { method: "POST", body, headers: { "X-One": "1" } })),
    );
    for (const { status, text: json } of answers) {
      expect(status).toBe(200);
      expect(JSON.parse(json)).toMatchObject({ method: "POST", url: "/x", httpVersion: "2.0", bytes: MIB });
    }
    const { headers } = JSON.parse(answers[0]!.text) as Seen;
    expect(headers).toMatchObject({ ":authority": "app.example", "x-one": "1", "x-forwarded-proto": "http" });
    expect(headers).not.toHaveProperty("connection");
    expect(sessions).toBeLessThanOrEqual(16);
    http.close();
  });

  test("HTTP/2 clients, too", async () => {
    const session = connect(`http://${lb.host}:${lb.port}`);
    const answer = await readStream(session.request({ ":path": "/y", ":authority": "app.example" }));
    expect(answer).toMatchObject({ status: 200 });
    expect(JSON.parse(answer.text)).toMatchObject({ url: "/y", httpVersion: "2.0" });
    session.destroy();
  });
});
