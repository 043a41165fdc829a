import type { RequestListener } from "node:http";

import { type FiberlbClient, L7PolicyAction } from "@fiberlb/api";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";

import { type Curled, curl, whyNoCurl } from "./curl.ts";
import type { Declared } from "./declare.ts";
import { addPolicy, declareHttp, pathStarts } from "./policies.ts";
import { startTestNode, type TestNode } from "./test-node.ts";
import { lengthOf, type Seen, startWebServer, type WebServer } from "./web-server.ts";

jest.setTimeout(60_000);

const MIB = 1024 ** 2;
const CONTENT = Buffer.from(Array.from({ length: 1000 }, (_, index) => 97 + (index % 26)));

/** A backend with a few pages of its own. */
const pages: Readonly<Record<string, RequestListener>> = {
  "/file"({ headers }, response) {
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "") ?? [];
    response.setHeader("Accept-Ranges", "bytes");
    if (first === undefined) return void response.setHeader("Content-Length", CONTENT.length).end(CONTENT);
    response.statusCode = 206;
    response.setHeader("Content-Range", `bytes ${first}-${last}/${CONTENT.length}`);
    response.end(CONTENT.subarray(Number(first), Number(last) + 1));
  },
  "/hints"(_request, response) {
    response.writeEarlyHints({ link: "</style.css>; rel=preload" });
    response.writeProcessing();
    response.end("page");
  },
  "/early"(_request, response) {
    response.statusCode = 403;
    response.end("no need to go on");
  },
  "/chunks"(_request, response) {
    response.write("one ");
    response.write("two ");
    response.end("three");
  },
};

const handle: RequestListener = (request, response) => {
  const page = pages[request.url ?? ""];
  if (page !== undefined) return page(request, response);
  void lengthOf(request).then((bytes) => {
    const { method, url, headers } = request;
    response.end(JSON.stringify({ method, url, bytes, headers }));
  });
};

const seen = ({ body }: Curled): Seen => JSON.parse(body) as Seen;

(whyNoCurl ? describe.skip : describe)(`HTTP/1.1 from curl${whyNoCurl ? ` (skipped: ${whyNoCurl})` : ""}`, () => {
  let node: TestNode;
  let client: FiberlbClient;
  let web: WebServer;
  let lb: Declared;

  beforeAll(async () => {
    web = await startWebServer("a", { handle });
    node = await startTestNode();
    ({ client } = node);
    lb = await declareWeb();
  });
  afterAll(async () => {
    await node?.stop();
    await web.close();
  });

  const declareWeb = (listener: object = {}): Promise<Declared> =>
    declareHttp(client, { listener, backends: [{ port: web.port }] });
  const urlOf = ({ host, port }: Declared, path = "/"): string => `http://${host}:${port}${path}`;

  test.each(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])("method %s", async (method) => {
    const answer = await curl(["-X", method, urlOf(lb, "/m?x=1")]);
    expect([answer.exitCode, answer.status]).toEqual([0, 200]);
    expect(seen(answer)).toMatchObject({ method, url: "/m?x=1" });
  });

  test("HEAD has the length and no body", async () => {
    const answer = await curl(["-I", urlOf(lb, "/file")]);
    expect(answer).toMatchObject({ exitCode: 0, status: 200, body: "" });
    expect(answer.headers["content-length"]).toBe("1000");
  });

  test("a connection serves one request after the other", async () => {
    const answer = await curl([urlOf(lb, "/file"), urlOf(lb, "/chunks"), urlOf(lb, "/nothing")]);
    // curl's account is of the last one.
    expect(answer).toMatchObject({ exitCode: 0, account: { num_connects: 0, http_code: 200 } });
  });

  test("a range", async () => {
    const answer = await curl(["-r", "100-199", urlOf(lb, "/file")]);
    expect(answer).toMatchObject({ exitCode: 0, status: 206, body: CONTENT.subarray(100, 200).toString() });
    expect(answer.headers["content-range"]).toBe("bytes 100-199/1000");
  });

  test("HTTP/1.0 gets what came in chunks without them, and a closed connection", async () => {
    const answer = await curl(["-0", urlOf(lb, "/chunks")]);
    expect(answer).toMatchObject({ exitCode: 0, status: 200, body: "one two three" });
    expect(answer.headers).not.toHaveProperty("transfer-encoding");
    expect(answer.headers["connection"]).toBe("close");
  });

  test("an upload waits for the backend's 100 Continue", async () => {
    const expectContinue = ["-H", "Expect: 100-continue", "--expect100-timeout", "40"];
    const answer = await curl([...expectContinue, "--data-binary", "@-", urlOf(lb)], [Buffer.alloc(2 * MIB)]);
    expect(answer.heads[0]).toBe("HTTP/1.1 100 Continue");
    expect(answer).toMatchObject({ exitCode: 0, status: 200 });
    expect(seen(answer).bytes).toBe(2 * MIB);
  });

  test("an upload in chunks from a pipe", async () => {
    const chunks = Array.from({ length: 64 }, () => Buffer.alloc(MIB));
    const answer = await curl(["-T", "-", urlOf(lb, "/up")], chunks);
    expect(answer).toMatchObject({ exitCode: 0, status: 200 });
    expect(seen(answer)).toMatchObject({ method: "PUT", bytes: 64 * MIB, headers: { "transfer-encoding": "chunked" } });
  });

  test("an answer that comes before the upload is over reaches the client", async () => {
    const answer = await curl(["-H", "Expect:", "--data-binary", "@-", urlOf(lb, "/early")], [Buffer.alloc(16 * MIB)]);
    expect(answer).toMatchObject({ status: 403, body: "no need to go on" });
  });

  test("interim responses come through", async () => {
    const answer = await curl([urlOf(lb, "/hints")]);
    expect(answer.heads.map((head) => head.split("\r\n")[0])).toEqual([
      "HTTP/1.1 103 Early Hints",
      "HTTP/1.1 102 Processing",
      "HTTP/1.1 200 OK",
    ]);
    expect(answer.heads[0]).toMatch(/\r\nlink: <\/style\.css>; rel=preload$/i);
    expect(answer.body).toBe("page");
  });

  test("redirects are followed to the end", async () => {
    const moving = await declareWeb();
    const policy = { action: L7PolicyAction.REDIRECT_TO_URL, redirectUrl: "#{protocol}://#{host}:#{port}/file" };
    await addPolicy(client, moving, { policy, rules: [pathStarts("/old")] });
    const answer = await curl(["-L", "-o", "/dev/null", urlOf(moving, "/old/x")]);
    expect(answer).toMatchObject({ exitCode: 0, account: { num_redirects: 1, http_code: 200, size_download: 1000 } });
  });

  test("dot segments go through as they are, until a policy looks at paths", async () => {
    const strict = await declareWeb();
    const ask = (path: string): Promise<Curled> => curl(["--path-as-is", urlOf(strict, path)]);
    expect(seen(await ask("/a/../admin")).url).toBe("/a/../admin");
    await addPolicy(client, strict, { policy: { action: L7PolicyAction.REJECT }, rules: [pathStarts("/admin")] });
    expect(await ask("/admin")).toMatchObject({ status: 403 });
    const before = web.requests;
    for (const path of ["/a/../admin", "/a/%2e%2e/admin", "/a%2f..%2fadmin", "/%5cadmin", "/.;x/admin", "/x%00"]) {
      expect([path, (await ask(path)).status]).toEqual([path, 400]);
    }
    expect(web.requests).toBe(before);
    expect(seen(await ask("/a..b/?next=%2F..%2F")).url).toBe("/a..b/?next=%2F..%2F");
  });

  describe("limits", () => {
    let limited: Declared;
    beforeAll(async () => {
      const limits = {
        maxRequestHeaderBytes: 8192,
        maxUriBytes: 1000,
        maxHeaderCount: 32,
        maxRequestBodyBytes: 100_000n,
      };
      limited = await declareWeb(limits);
    });

    const header = (bytes: number): string[] => ["-H", `X-Big: ${"x".repeat(bytes)}`];
    const headers = (count: number): string[] =>
      Array.from({ length: count }, (_, index) => ["-H", `X-${index}: ${index}`]).flat();
    const upload = (bytes: number, ...args: string[]): Promise<Curled> =>
      curl([...args, "--data-binary", "@-", urlOf(limited)], [Buffer.alloc(bytes)]);

    test.each<[string, number, string[], string]>([
      ["a header that fits", 200, header(6000), "/"],
      ["a large header", 431, header(9000), "/"],
      ["many small headers", 431, headers(33), "/"],
      ["a URI that fits", 200, [], `/${"x".repeat(990)}`],
      ["a long URI", 414, [], `/${"x".repeat(1001)}`],
      ["a method that is none", 400, ["-X", "NO SUCH"], "/"],
      ["no host", 400, ["-H", "Host:"], "/"],
      ["a length and chunks", 400, ["-H", "Content-Length: 3", "-H", "Transfer-Encoding: chunked", "-d", "abc"], "/"],
      ["CONNECT", 501, ["-X", "CONNECT", "--request-target", "app.example:443"], "/"],
    ])("%s: %i", async (_what, status, args, path) => {
      expect(await curl([...args, urlOf(limited, path)])).toMatchObject({ status });
    });

    test("a body within the limit passes; one beyond it gets 413, however it is framed", async () => {
      expect(await upload(100_000)).toMatchObject({ exitCode: 0, status: 200 });
      expect(await upload(100_001)).toMatchObject({ status: 413 });
      expect(await upload(5 * MIB, "-H", "Transfer-Encoding: chunked", "-H", "Expect:")).toMatchObject({ status: 413 });
    });

    test("a client that asks first is told 413 before it sends anything", async () => {
      const answer = await upload(5 * MIB, "-H", "Expect: 100-continue", "--expect100-timeout", "40");
      expect(answer).toMatchObject({ status: 413, account: { size_upload: 0 } });
    });
  });
});
