import { createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

import { afterEach, describe, expect, test } from "@jest/globals";

import { createSpeaker, RouteError, type Speaker, type SpeakerOptions } from "../src/index.ts";
import { FakeClock, settled } from "./fake-clock.ts";
import { manyRoutes, route } from "./lab/routes.ts";
import { untilStatus } from "./lab/status.ts";

const absent = "unix:///nonexistent/gobgp.sock";
let speakers: Speaker[] = [];
let servers: Server[] = [];

afterEach(async () => {
  await Promise.all(speakers.map((speaker) => speaker.close()));
  for (const server of servers) server.close();
  [speakers, servers] = [[], []];
});

function speak(options: Partial<SpeakerOptions> = {}): Speaker {
  const speaker = createSpeaker({ gobgp: absent, ...options });
  speakers.push(speaker);
  return speaker;
}

async function listen(server: Server): Promise<string> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("refuses at once", () => {
  test.each<[string, Partial<SpeakerOptions>]>([
    ["gobgp must be unix:///path/to/socket", { gobgp: "/run/gobgp.sock" }],
    ["tls is given, but unix:///nonexistent/gobgp.sock is not an https URL", { tls: {} }],
    ["manage.asn must be", { manage: { asn: 0, routerId: "10.0.0.1", peers: [] } }],
  ])("%s", (message, options) => {
    expect(() => speak(options)).toThrow(message);
  });

  test("a set with a bad route, and goes on with the one before", async () => {
    const speaker = speak();
    await expect(speaker.announce(manyRoutes(2))).rejects.toThrow("there is no socket");
    await expect(speaker.announce([route({ prefix: "203.0.113.1/24" })])).rejects.toThrow(RouteError);
    expect(speaker.status().routes.desired).toBe(2);
  });

  test("everything, once it is closed", async () => {
    const speaker = speak();
    await speaker.close();
    await expect(speaker.announce([])).rejects.toThrow("the speaker is closed");
    expect(speaker.status().daemon).toEqual({ state: "connecting", reason: "the speaker is closed" });
  });
});

test("says what it does, and tells every change once", async () => {
  const speaker = speak();
  const reasons: string[] = [];
  speaker.onStatus(({ daemon }) => reasons.push(daemon.reason));
  await untilStatus(speaker, ({ daemon }) => daemon.reason.startsWith("there is no socket"));
  expect(reasons).toHaveLength(1);
});

test("a listener that fails is logged, and the others are told", async () => {
  const said: string[] = [];
  const speaker = speak({ logger: { info: () => undefined, warn: (line) => said.push(line) } });
  speaker.onStatus(() => {
    throw new Error("my fault");
  });
  await untilStatus(speaker, ({ daemon }) => daemon.reason.startsWith("there is no socket"));
  expect(said).toContain("A listener to the BGP speaker's status failed: Error: my fault");
  expect(said.filter((line) => line.startsWith("No connection"))).toHaveLength(1);
});

test("tries again after the backoff, longer each time", async () => {
  const clock = new FakeClock();
  const delays: number[] = [];
  const after = clock.after.bind(clock);
  clock.after = (delayMs, callback) => {
    delays.push(delayMs);
    return after(delayMs, callback);
  };
  const speaker = speak({ clock, random: () => 0 });
  for (const expected of [50, 100, 200]) {
    while (delays.at(-1) !== expected) await settled();
    clock.advance(expected);
  }
  await speaker.close();
  expect(delays.slice(0, 3)).toEqual([50, 100, 200]);
  expect(clock.pendingCount).toBe(0);
});

test("can be closed while a daemon keeps it waiting", async () => {
  const sockets: Socket[] = [];
  const connected = Promise.withResolvers<void>();
  const gobgp = await listen(
    createServer((socket) => {
      sockets.push(socket);
      connected.resolve();
    }),
  );
  const speaker = speak({ gobgp });
  const announcing = speaker.announce([]).catch(String);
  await connected.promise;
  await speaker.close();
  expect(await announcing).toContain("the speaker is closed");
  for (const socket of sockets) socket.destroy();
});

test("refuses a gRPC server that is no GoBGP", async () => {
  const server = createHttp2Server((_, response) => {
    response.writeHead(200, {
      "content-type": "application/grpc",
      "grpc-status": "12",
      "grpc-message": "unknown service",
    });
    response.end();
  });
  const speaker = speak({ gobgp: await listen(server) });
  const { daemon } = await untilStatus(speaker, ({ daemon: { state } }) => state === "refused");
  expect(daemon.reason).toContain("it has neither GoBGP's API of 3.x (apipb.GobgpApi) nor of 4.x (api.GoBgpService)");
});
