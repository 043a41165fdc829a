import { once } from "node:events";
import { createServer, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";

import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { iam } from "@fiberlb/api";
import { expect, test } from "@jest/globals";

import { createIamAuthenticator } from "../src/index.ts";
import { HandClock } from "./hand-clock.ts";
import { refusal, startStage } from "./stage.ts";

type Answer = Partial<Omit<iam.ValidateTokenResponse, "$typeName" | "$unknown">>;

/** An IAM server that answers what it is told to. */
async function startIam(answers: Readonly<Record<string, Answer>>) {
  const asked: string[] = [];
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer(
    connectNodeAdapter({
      routes: (router) =>
        router.service(iam.TokenService, {
          validateToken({ token }) {
            asked.push(token);
            return answers[token] ?? { valid: false };
          },
        }),
    }),
  ).listen(0, "127.0.0.1");
  server.on("session", (session) => sessions.add(session));
  await once(server, "listening");
  return {
    asked,
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const session of sessions) session.destroy();
      await closed;
    },
  };
}

const good: Answer = { valid: true, orgId: "acme", projectId: "shop", role: "member" };

test("the IAM server says whose a token is; its answer holds for seconds, and not beyond the token's end", async () => {
  const clock = new HandClock();
  const shortLived = { ...good, expiresAt: timestampFromMs(clock.epochMs() + 1000) };
  await using server = await startIam({ good, "short-lived": shortLived, odd: { ...good, role: "king" } });
  const authenticator = createIamAuthenticator({ server: server.address, clock });
  await using stage = await startStage({ authenticator });
  const list = (token: string) => stage.client({ token }).pods.listPods({});
  await Promise.all([list("good"), list("good"), list("good")]);
  expect(server.asked).toEqual(["good"]);
  clock.advance(4999);
  await list("good");
  expect(server.asked).toEqual(["good"]);
  clock.advance(1);
  await list("good");
  expect(server.asked).toEqual(["good", "good"]);
  expect((await refusal(list("wrong"))).code).toBe("Unauthenticated");
  expect((await refusal(list("odd"))).code).toBe("Unavailable");
  expect((await refusal(list("short-lived"))).code).toBe("Unauthenticated");
  authenticator.close();
});

test("an IAM server that is away lets nobody in, also whom it knew before", async () => {
  const clock = new HandClock();
  const server = await startIam({ good });
  const authenticator = createIamAuthenticator({ server: server.address, clock });
  await using stage = await startStage({ authenticator });
  const { pods } = stage.client({ token: "good" });
  await pods.listPods({});
  await server[Symbol.asyncDispose]();
  clock.advance(6000);
  expect(await refusal(pods.listPods({}))).toMatchObject({
    code: "Unavailable",
    message: "the IAM server is not available; try again",
  });
  authenticator.close();
});
