import { once } from "node:events";
import * as http from "node:http";
import * as http2 from "node:http2";
import * as net from "node:net";

import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "@jest/globals";

import {
  createFiberlbClient,
  describeError,
  DiscoveryService,
  type FiberlbClient,
  type FiberlbClientOptions,
  LoadBalancerService,
} from "../src/index.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "./tls-fixture.ts";

interface Seen {
  readonly name: string;
  readonly headers: Readonly<Record<string, string | null>>;
}

const seen: Seen[] = [];

/** Answers with what it was asked. */
const routes = (router: ConnectRouter): void => {
  router.service(LoadBalancerService, {
    createLoadBalancer: async ({ name, vipAddress }, { requestHeader }) => {
      const headers = ["x-org-id", "x-project-id", "authorization"].map(
        (key) => [key, requestHeader.get(key)] as const,
      );
      seen.push({ name, headers: Object.fromEntries(headers) });
      if (name === "taken") throw new ConnectError('name "taken" is in use', Code.AlreadyExists);
      return { loadBalancer: { name, vipAddress } };
    },
  });
  router.service(DiscoveryService, {
    async *watch({ name }) {
      yield { endpoint: { name, vipAddress: "127.10.0.1" } };
      yield { endpoint: { name, vipAddress: "127.10.0.2" } };
    },
  });
};

const servers: net.Server[] = [];
const urls = new Map<string, string>();
const clients: FiberlbClient[] = [];

beforeAll(async () => {
  const handler = connectNodeAdapter({ routes });
  urls.set("1.1", await listen(http.createServer(handler)));
  urls.set("2", await listen(http2.createServer(handler)));
  const secure = { allowHTTP1: true, key: TEST_KEY, cert: TEST_CERTIFICATE };
  urls.set("tls", (await listen(http2.createSecureServer(secure, handler))).replace("http:", "https:"));
});
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
  seen.length = 0;
});
afterAll(async () => {
  await Promise.all(servers.map(stop));
});

async function listen(server: net.Server): Promise<string> {
  servers.push(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  return `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
}

async function stop(server: net.Server): Promise<void> {
  const closed = once(server, "close");
  server.close();
  await closed;
}

function readAndSayNothing(socket: net.Socket): void {
  socket.on("error", () => socket.destroy()).resume();
}

function open(options: Partial<FiberlbClientOptions> = {}): FiberlbClient {
  const client = createFiberlbClient({ baseUrl: urls.get(options.httpVersion ?? "2") ?? "", ...options });
  clients.push(client);
  return client;
}

describe("createFiberlbClient", () => {
  it.each([
    { protocol: "grpc", httpVersion: "2" },
    { protocol: "grpc-web", httpVersion: "2" },
    { protocol: "grpc-web", httpVersion: "1.1" },
    { protocol: "connect", httpVersion: "2" },
    { protocol: "connect", httpVersion: "1.1" },
  ] as const)("calls and streams with $protocol over HTTP/$httpVersion", async (options) => {
    const client = open(options);
    const { loadBalancer } = await client.loadBalancers.createLoadBalancer({ name: "web", vipAddress: "127.10.0.1" });
    expect(loadBalancer).toMatchObject({ name: "web", vipAddress: "127.10.0.1" });
    const addresses: (string | undefined)[] = [];
    for await (const { endpoint } of client.discovery.watch({ name: "web" })) addresses.push(endpoint?.vipAddress);
    expect(addresses).toEqual(["127.10.0.1", "127.10.0.2"]);
  });

  it("says with every call who is calling", async () => {
    await open({ org: "acme", project: "shop", token: "s3cret" }).loadBalancers.createLoadBalancer({ name: "a" });
    await open().loadBalancers.createLoadBalancer({ name: "b" });
    expect(seen).toEqual([
      { name: "a", headers: { "x-org-id": "acme", "x-project-id": "shop", authorization: "Bearer s3cret" } },
      { name: "b", headers: { "x-org-id": null, "x-project-id": null, authorization: null } },
    ]);
  });

  it("asks for the token before each call, so that it can change", async () => {
    let turn = 0;
    const client = open({ token: async () => `t${(turn += 1)}` });
    await client.loadBalancers.createLoadBalancer({ name: "a" });
    await client.loadBalancers.createLoadBalancer({ name: "b" });
    expect(seen.map(({ headers }) => headers["authorization"])).toEqual(["Bearer t1", "Bearer t2"]);
  });

  it("gives up a call after timeoutMs", async () => {
    const baseUrl = await listen(net.createServer(readAndSayNothing));
    const call = open({ baseUrl, timeoutMs: 50 }).loadBalancers.getLoadBalancer({ id: "1" });
    await expect(call).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  });

  it("fails with the server's code and sentence", async () => {
    const error: unknown = await open()
      .loadBalancers.createLoadBalancer({ name: "taken" })
      .catch((reason: unknown) => reason);
    expect(describeError(error)).toBe('already exists: name "taken" is in use');
  });

  it.each(["grpc", "connect"] as const)("says that no server is there, with %s", async (protocol) => {
    const gone = net.createServer();
    const baseUrl = await listen(gone);
    servers.pop();
    await stop(gone);
    const error: unknown = await open({ baseUrl, protocol })
      .loadBalancers.createLoadBalancer({})
      .catch((reason: unknown) => reason);
    expect(describeError(error)).toBe(`unavailable: cannot reach ${baseUrl}: nothing listens there`);
  });

  describe("with TLS", () => {
    const call = (options: Partial<FiberlbClientOptions>): Promise<unknown> =>
      open({ baseUrl: urls.get("tls") ?? "", ...options }).loadBalancers.createLoadBalancer({ name: "web" });

    it.each([
      { protocol: "grpc", httpVersion: "2" },
      { protocol: "connect", httpVersion: "1.1" },
    ] as const)("verifies the server's certificate by default: $protocol over HTTP/$httpVersion", async (options) => {
      await expect(call(options)).rejects.toMatchObject({
        code: Code.Unavailable,
        rawMessage: `cannot reach ${urls.get("tls")}: its certificate is not trusted (self-signed certificate)`,
      });
      expect(seen).toEqual([]);
    });

    it("accepts a certificate of the given authority", async () => {
      await expect(call({ tls: { ca: TEST_CERTIFICATE } })).resolves.toMatchObject({ loadBalancer: { name: "web" } });
    });

    it("accepts any certificate when told to", async () => {
      await expect(call({ tls: { insecureSkipVerify: true } })).resolves.toMatchObject({
        loadBalancer: { name: "web" },
      });
    });
  });

  it.each([
    [{ baseUrl: "127.0.0.1:9080" }, '"127.0.0.1:9080" is not an http or https URL'],
    [{ baseUrl: "" }, '"" is not an http or https URL'],
    [{ baseUrl: "http://a", httpVersion: "1.1", protocol: "grpc" }, "gRPC needs HTTP/2"],
    [{ baseUrl: "http://a", tls: { ca: "" } }, "tls is given, but http://a is not an https URL"],
  ] as const)("refuses %p", (options, why) => {
    expect(() => open(options)).toThrow(why);
  });
});
