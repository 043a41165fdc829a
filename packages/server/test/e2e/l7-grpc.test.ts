import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { type FiberlbClient, grpcHealth, grpcReflection, ListenerProtocol, PoolProtocol } from "@fiberlb/api";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from "@jest/globals";

import { type Declared, declare } from "./declare.ts";
import { type GrpcBackend, startGrpcBackend, WATCHED } from "./grpc-backend.ts";
import { startTestNode, type TestNode } from "./test-node.ts";
import { TlsMaterial, uploadAuthority, uploadServer } from "./tls-material.ts";

jest.setTimeout(60_000);

const NAME = "grpc.example";
const { SERVING } = grpcHealth.HealthCheckResponse_ServingStatus;

let node: TestNode;
let client: FiberlbClient;
let material: TlsMaterial;
let certificateId: string;
let caCertificateId: string;

beforeAll(async () => {
  material = new TlsMaterial();
  node = await startTestNode();
  ({ client } = node);
  certificateId = await uploadServer(client, material.issue(NAME));
  caCertificateId = await uploadAuthority(client, material.authority);
});
afterAll(async () => {
  await node?.stop();
  material.remove();
});

describe.each([
  { listener: "HTTP", pool: "H2C" },
  { listener: "HTTP", pool: "HTTPS" },
  { listener: "HTTPS", pool: "H2C" },
  { listener: "HTTPS", pool: "HTTPS" },
] as const)("gRPC through an $listener listener to an $pool pool", ({ listener, pool }) => {
  let backend: GrpcBackend;
  let lb: Declared;
  let session: Http2SessionManager;
  let health: ReturnType<typeof createClient<typeof grpcHealth.Health>>;
  let reflection: ReturnType<typeof createClient<typeof grpcReflection.ServerReflection>>;

  beforeEach(async () => {
    backend = await startGrpcBackend(pool === "HTTPS" ? material.issue(NAME) : undefined);
    const backendTls = { caCertificateId, serverName: NAME, alpnProtocols: ["h2"] };
    lb = await declare(client, {
      pool: { protocol: PoolProtocol[pool], ...(pool === "HTTPS" && { backendTls }) },
      listener: {
        protocol: ListenerProtocol[listener],
        ...(listener === "HTTPS" && { certificateIds: [certificateId] }),
      },
      backends: [{ port: backend.port }],
    });
    const baseUrl = `${listener.toLowerCase()}://${lb.host}:${lb.port}`;
    const nodeOptions = listener === "HTTPS" ? { ca: material.authority.pem, servername: NAME } : {};
    session = new Http2SessionManager(baseUrl, {}, nodeOptions);
    const transport = createGrpcTransport({ baseUrl, sessionManager: session });
    health = createClient(grpcHealth.Health, transport);
    reflection = createClient(grpcReflection.ServerReflection, transport);
  });
  afterEach(async () => {
    session.abort();
    await backend.close();
  });

  test("unary, with metadata both ways", async () => {
    const seen: Record<string, string | null> = {};
    const answer = await health.check(
      { service: "" },
      {
        headers: { "x-token": "abc" },
        onHeader: (header) => void (seen["leading"] = header.get("x-leading")),
        onTrailer: (trailer) => void (seen["trailing"] = trailer.get("x-trailing")),
      },
    );
    expect(answer.status).toBe(SERVING);
    expect(seen).toEqual({ leading: "first", trailing: "last" });
    const [headers] = backend.headers;
    expect(headers?.get("x-token")).toBe("abc");
    expect(headers?.get("x-forwarded-proto")).toBe(listener.toLowerCase());
    expect(headers?.get("te")).toBe("trailers");
  });

  test("many calls at once over one connection", async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => health.check({})));
    expect(answers.every(({ status }) => status === SERVING)).toBe(true);
  });

  test("a server's error arrives with code, message and metadata", async () => {
    const error = await health.check({ service: "missing" }).catch((reason: unknown) => ConnectError.from(reason));
    expect(error).toBeInstanceOf(ConnectError);
    const { code, rawMessage, metadata } = error as ConnectError;
    expect([code, rawMessage, metadata.get("x-why")]).toEqual([Code.NotFound, "no such service: ü", "unknown"]);
  });

  test("server streaming", async () => {
    const statuses: number[] = [];
    for await (const { status } of health.watch({})) statuses.push(status);
    expect(statuses).toEqual(WATCHED);
  });

  test("bidirectional: every message is answered before the next one is sent", async () => {
    let next = Promise.withResolvers<string | undefined>();
    async function* requests() {
      for (let host = await next.promise; host !== undefined; host = await next.promise) {
        next = Promise.withResolvers();
        yield { host };
      }
    }
    const answers = reflection.serverReflectionInfo(requests())[Symbol.asyncIterator]();
    for (let i = 0; i < 20; i++) {
      next.resolve(`host ${i}`);
      const { value } = (await answers.next()) as { value: { validHost: string } };
      expect(value.validHost).toBe(`host ${i}`);
    }
    next.resolve(undefined);
    expect(await answers.next()).toMatchObject({ done: true });
  });

  test("messages of 1 MiB, many in a stream, both ways", async () => {
    const host = "x".repeat(1024 ** 2);
    async function* requests() {
      for (let i = 0; i < 16; i++) yield { host };
    }
    let bytes = 0;
    for await (const { validHost } of reflection.serverReflectionInfo(requests())) bytes += validHost.length;
    expect(bytes).toBe(16 * host.length);
  });

  test("a client that gives up is heard by the backend", async () => {
    const abort = new AbortController();
    await expect(
      (async () => {
        for await (const { status } of health.watch({ service: "forever" }, { signal: abort.signal })) {
          if (status === WATCHED.at(-1)) abort.abort();
        }
      })(),
    ).rejects.toMatchObject({ code: Code.Canceled });
    await backend.aborted;
  });

  test("a deadline reaches the backend", async () => {
    await expect(health.check({ service: "slow" }, { timeoutMs: 500 })).rejects.toMatchObject({
      code: Code.DeadlineExceeded,
    });
    expect(backend.headers[0]?.get("grpc-timeout")).toMatch(/^\d+m$/);
    await backend.aborted;
  });
});

test("without a backend a call fails as UNAVAILABLE", async () => {
  const lb = await declare(client, {
    pool: { protocol: PoolProtocol.H2C },
    listener: { protocol: ListenerProtocol.HTTP },
    backends: [],
  });
  const session = new Http2SessionManager(`http://${lb.host}:${lb.port}`);
  const transport = createGrpcTransport({ baseUrl: `http://${lb.host}:${lb.port}`, sessionManager: session });
  const health = createClient(grpcHealth.Health, transport);
  await expect(health.check({})).rejects.toMatchObject({ code: Code.Unavailable });
  session.abort();
});
