import { once } from "node:events";
import { connect } from "node:net";

import { Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { type FiberlbClientOptions, grpcHealth, grpcReflection, grpcReflectionAlpha } from "@fiberlb/api";
import { createMemoryStore } from "@fiberlb/store";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";

import { AUTHORITY, CERTIFICATE, CLIENT_CERTIFICATE } from "./certificates.ts";
import { createLoadBalancer } from "./fixtures.ts";
import { curl, type Harness, startHarness } from "./harness.ts";
import { refusalOf } from "./refusals.ts";

const PROTOCOLS: [FiberlbClientOptions["protocol"], FiberlbClientOptions["httpVersion"]][] = [
  ["grpc", "2"],
  ["grpc-web", "1.1"],
  ["grpc-web", "2"],
  ["connect", "1.1"],
  ["connect", "2"],
];

const options = ([protocol, httpVersion]: (typeof PROTOCOLS)[number]): Partial<FiberlbClientOptions> => ({
  ...(protocol !== undefined && { protocol }),
  ...(httpVersion !== undefined && { httpVersion }),
});

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.close());

describe("one port in cleartext", () => {
  test.each(PROTOCOLS)("serves %s over HTTP/%s: unary, stream, and errors with details", async (...protocol) => {
    const client = harness.client({ ...options(protocol), project: protocol.join("-").replace(".", "") });
    const made = await createLoadBalancer(client, { name: "web" });
    const abort = new AbortController();
    const seen: string[] = [];
    for await (const { endpoint } of client.discovery.watch({ name: "web" }, { signal: abort.signal })) {
      seen.push(endpoint?.vipAddress ?? "");
      break;
    }
    expect(seen).toEqual([made.vipAddress]);
    const refused = await refusalOf(client.backends.createBackend({}));
    expect(refused.rawMessage).toMatch(/pool_id is required; address is required; port is required/);
    abort.abort();
  });

  test("answers what is no RPC with 404 and a hint", async () => {
    const response = await fetch(`${harness.baseUrl}/index.html`);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ message: expect.stringContaining("Unknown path /index.html") });
  });

  test("refuses messages beyond 4 MiB", async () => {
    const { status, body } = await curl(harness.baseUrl, "PoolService/CreatePool", {
      description: "x".repeat(4 << 20),
    });
    expect(status).toBe(429);
    expect(body["code"]).toBe("resource_exhausted");
  });

  test("takes an HTTP/2 preface that comes byte by byte", async () => {
    const { port } = new URL(harness.baseUrl);
    const socket = connect(Number(port), "127.0.0.1");
    socket.setNoDelay(true);
    for (const char of "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0") {
      socket.write(Buffer.from(char, "latin1"));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const [frame] = (await once(socket, "data")) as [Buffer];
    expect(frame[3]).toBe(4); // SETTINGS
    socket.destroy();
  });

  test("tells of each call with its code", async () => {
    const { length } = harness.calls;
    await curl(harness.baseUrl, "PoolService/GetPool", { id: "019a3c7e-0b1d-7c44-8f6e-2b9d1c5a7e30" });
    expect(harness.calls.slice(length)).toEqual([
      {
        method: "fiberlb.v1.PoolService/GetPool",
        code: "not_found",
        message: expect.stringContaining("does not exist"),
        durationMs: expect.any(Number),
      },
    ]);
  });
});

describe("reflection and health", () => {
  const transport = () => createGrpcTransport({ baseUrl: harness.baseUrl });

  test.each([
    ["v1", grpcReflection.ServerReflection],
    ["v1alpha", grpcReflectionAlpha.ServerReflection],
  ])("reflection %s lists the services and gives the file of a symbol with its imports", async (_, service) => {
    const client = createClient(service as typeof grpcReflection.ServerReflection, transport());
    async function* questions() {
      yield { messageRequest: { case: "listServices", value: "" } } as const;
      yield { messageRequest: { case: "fileContainingSymbol", value: "fiberlb.v1.PoolService.CreatePool" } } as const;
      yield { messageRequest: { case: "fileByFilename", value: "nothing.proto" } } as const;
    }
    const answers = [];
    for await (const { messageResponse } of client.serverReflectionInfo(questions())) answers.push(messageResponse);
    const [list, files, missing] = answers;
    const names = list?.case === "listServicesResponse" ? list.value.service.map(({ name }) => name) : [];
    expect(names).toEqual(expect.arrayContaining(["fiberlb.v1.DiscoveryService", "grpc.health.v1.Health"]));
    expect(files?.case === "fileDescriptorResponse" && files.value.fileDescriptorProto.length).toBeGreaterThan(2);
    expect(missing?.case).toBe("errorResponse");
  });

  test("health answers for the server and each service, and needs no tenant", async () => {
    const client = createClient(grpcHealth.Health, transport());
    const headers = { "x-org-id": "not a tenant" };
    expect((await client.check({ service: "" }, { headers })).status).toBe(1);
    expect((await client.check({ service: "fiberlb.v1.PoolService" })).status).toBe(1);
    await expect(client.check({ service: "nobody" })).rejects.toThrow(/unknown service nobody/);
  });

  test("closing tells health watchers, and ends streams", async () => {
    await using closing = await startHarness();
    const client = createClient(grpcHealth.Health, createGrpcTransport({ baseUrl: closing.baseUrl }));
    const seen: number[] = [];
    const watching = (async () => {
      for await (const { status } of client.watch({ service: "" })) {
        seen.push(status);
        if (seen.length === 1) void closing.close();
      }
    })();
    await watching.catch(() => undefined);
    expect(seen).toEqual([1, 2]);
  });
});

describe("one port with TLS", () => {
  const tls = { cert: CERTIFICATE.pem, key: CERTIFICATE.keyPem };
  const ca = AUTHORITY.pem;

  test("serves every protocol by ALPN", async () => {
    await using secure = await startHarness({ tls });
    for (const protocol of PROTOCOLS) {
      const client = secure.client({ ...options(protocol), tls: { ca } });
      await createLoadBalancer(client);
    }
    const cleartext = fetch(secure.baseUrl.replace("https", "http"));
    await expect(cleartext).rejects.toThrow("fetch failed");
  });

  test("with clientCa lets in only who shows a certificate of it", async () => {
    await using mutual = await startHarness({ tls: { ...tls, clientCa: AUTHORITY.pem } });
    // How a refused handshake looks to the client depends on who closes first.
    const refused = await refusalOf(createLoadBalancer(mutual.client({ tls: { ca } })));
    expect(Code[refused.code]).toMatch(/^(Unavailable|Internal|Aborted)$/);
    const known = { ca, cert: CLIENT_CERTIFICATE.pem, key: CLIENT_CERTIFICATE.keyPem };
    await createLoadBalancer(mutual.client({ tls: known }));
  });
});

describe("when the store is away", () => {
  test("calls are UNAVAILABLE and health answers on", async () => {
    const store = createMemoryStore();
    await using broken = await startHarness({ store, expectsErrors: true });
    await store.close();
    const { status, body } = await curl(broken.baseUrl, "PoolService/ListPools", {});
    expect({ status, body }).toMatchObject({
      status: 503,
      body: { code: "unavailable", message: expect.stringContaining("store") },
    });
    const client = createClient(grpcHealth.Health, createGrpcTransport({ baseUrl: broken.baseUrl }));
    expect((await client.check({ service: "" })).status).toBe(1);
  });
});
