import { once } from "node:events";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";

import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { connectNodeAdapter, createConnectTransport } from "@connectrpc/connect-node";
import { grpcHealth } from "@fiberlb/api";
import { afterEach, beforeEach, expect, it } from "@jest/globals";

import { receives } from "./http-rig.ts";
import { Http2UpstreamRig } from "./http2-upstream-rig.ts";

const { Health, HealthCheckResponse_ServingStatus: Status } = grpcHealth;

let rig: Http2UpstreamRig;
let server: http2.Http2Server;

beforeEach(async () => {
  rig = new Http2UpstreamRig();
  const handler = connectNodeAdapter({
    routes: (router) =>
      router.service(Health, {
        check({ service }) {
          if (service === "missing") throw new ConnectError("no such service", Code.NotFound);
          return { status: Status.SERVING };
        },
        async *watch() {
          for (const status of [Status.NOT_SERVING, Status.SERVING]) yield { status };
        },
      }),
  });
  server = http2.createServer(handler);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  rig.balancer.add("backend", (server.address() as AddressInfo).port);
});
afterEach(async () => {
  await rig.close();
  const closed = once(server, "close");
  server.close();
  await closed;
});

it("calls of the Connect protocol from HTTP/1.1 reach a server that speaks HTTP/2", async () => {
  const { port } = await rig.listen();
  const transport = createConnectTransport({ baseUrl: `http://127.0.0.1:${port}`, httpVersion: "1.1" });
  const client = createClient(Health, transport);
  expect((await client.check({})).status).toBe(Status.SERVING);
  await expect(client.check({ service: "missing" })).rejects.toMatchObject({ code: Code.NotFound });
  const statuses: number[] = [];
  for await (const { status } of client.watch({})) statuses.push(status);
  expect(statuses).toEqual([Status.NOT_SERVING, Status.SERVING]);
});

/** A gRPC message: not compressed, with its length. */
function message(content: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(content.length, 1);
  return Buffer.concat([head, content]);
}

async function call(content: Buffer): Promise<string> {
  const client = await rig.client();
  const headers = "Content-Type: application/grpc\r\nTE: trailers\r\nConnection: TE\r\nTransfer-Encoding: chunked\r\n";
  await client.send(`POST /grpc.health.v1.Health/Check HTTP/1.1\r\nHost: a\r\n${headers}\r\n`);
  const body = message(content);
  await client.send(
    Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from("\r\n0\r\n\r\n")]),
  );
  return receives(client, /grpc-status: \d+\r\n([^]*\r\n)?\r\n$/);
}

it("gRPC keeps its frames and its trailers, as a client behind HTTP/2 gets them", async () => {
  const answer = await call(Buffer.alloc(0));
  // field 1, a number: SERVING
  expect(answer).toContain(`${message(Buffer.from([8, 1])).toString("latin1")}\r\n0\r\n`);
  expect(answer).toMatch(/0\r\n(.+\r\n)*grpc-status: 0\r\n/);
});

it("gRPC's errors come without a message", async () => {
  const service = Buffer.from("missing");
  const answer = await call(Buffer.concat([Buffer.from([0x0a, service.length]), service]));
  expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  expect(answer).toContain(`grpc-status: ${Code.NotFound}\r\n`);
  expect(answer).toContain("grpc-message: no%20such%20service\r\n");
});
