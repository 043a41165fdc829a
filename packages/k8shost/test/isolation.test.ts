import { expect, test } from "@jest/globals";

import { createTokenAuthenticator, hashToken } from "../src/index.ts";
import { pod, refusal, service, startStage } from "./stage.ts";

const TOKENS = { acme: "acme-secret", rival: "rival-secret", admin: "admin-secret" };
const authenticator = createTokenAuthenticator(
  `# for tests
${hashToken(TOKENS.acme)} acme shop member
${hashToken(TOKENS.rival)} rival shop member   # the other one
${hashToken(TOKENS.admin)} ops ops admin
`,
  { source: "tokens" },
);

test("two tenants use the same names and never see each other: NOT_FOUND for what is another's", async () => {
  await using stage = await startStage({ authenticator });
  const acme = stage.client({ token: TOKENS.acme });
  const rival = stage.client({ token: TOKENS.rival });
  const { service: ours } = await acme.services.createService({ service: service("web") });
  await acme.pods.createPod({ pod: pod("web-1") });
  const { pods } = rival;
  for (const call of [
    pods.getPod({ name: "web-1" }),
    pods.updatePod({ pod: { metadata: { name: "web-1", labels: { a: "b" } } } }),
    pods.deletePod({ name: "web-1" }),
    rival.services.getService({ name: "web" }),
    rival.services.deleteService({ name: "web" }),
  ])
    expect((await refusal(call)).code).toBe("NotFound");
  expect((await pods.listPods({})).pods).toEqual([]);
  const { service: theirs } = await rival.services.createService({ service: service("web") });
  expect(theirs?.metadata?.uid).not.toBe(ours?.metadata?.uid);
  expect(theirs?.spec?.clusterIp).not.toBe(ours?.spec?.clusterIp);
  await rival.services.deleteService({ name: "web" });
  expect((await acme.services.getService({ name: "web" })).service).toEqual(ours);
});

test("a page token of one tenant opens nothing for another", async () => {
  await using stage = await startStage({ authenticator });
  const acme = stage.client({ token: TOKENS.acme });
  for (const name of ["a", "b", "c"]) await acme.pods.createPod({ pod: pod(name) });
  const { nextPageToken: pageToken } = await acme.pods.listPods({ pageSize: 1 });
  const rival = stage.client({ token: TOKENS.rival });
  expect(await refusal(rival.pods.listPods({ pageSize: 1, pageToken }))).toMatchObject({
    code: "InvalidArgument",
    fields: ["page_token"],
  });
});

test("a watch of one tenant tells nothing of another's", async () => {
  await using stage = await startStage({ authenticator });
  const acme = stage.client({ token: TOKENS.acme });
  const rival = stage.client({ token: TOKENS.rival });
  const watch = rival.pods.watchPods({})[Symbol.asyncIterator]();
  await watch.next();
  await acme.pods.createPod({ pod: pod("secret") });
  await rival.pods.createPod({ pod: pod("own") });
  for (;;) {
    const { value } = await watch.next();
    if (value?.pod === undefined) continue;
    expect(value.pod.metadata?.name).toBe("own");
    break;
  }
  await watch.return?.();
});

test("members act for themselves, admins for whom they name", async () => {
  await using stage = await startStage({ authenticator });
  const member = stage.client({ token: TOKENS.acme, org: "rival", project: "shop" });
  expect(await refusal(member.pods.listPods({}))).toMatchObject({
    code: "PermissionDenied",
    message: "not allowed to act for rival/shop: the token is of acme/shop",
  });
  const acme = stage.client({ token: TOKENS.acme });
  await acme.pods.createPod({ pod: pod("web-1") });
  for (const call of [
    acme.pods.listPods({ allTenants: true }),
    acme.nodes.listNodes({}),
    acme.nodes.registerNode({ node: { metadata: { name: "node-1" }, status: { allocatable: {} } } }),
  ])
    expect((await refusal(call)).code).toBe("PermissionDenied");
  const admin = stage.client({ token: TOKENS.admin, org: "acme", project: "shop" });
  expect((await admin.pods.getPod({ name: "web-1" })).pod?.metadata?.orgId).toBe("acme");
  expect((await stage.client({ token: TOKENS.admin }).pods.listPods({ allTenants: true })).pods).toHaveLength(1);
});

test("no token, or one that is not known: UNAUTHENTICATED, and the token is in no message", async () => {
  await using stage = await startStage({ authenticator });
  expect((await refusal(stage.client().pods.listPods({}))).code).toBe("Unauthenticated");
  const wrong = await refusal(stage.client({ token: "a-wrong-secret" }).pods.listPods({}));
  expect(wrong).toMatchObject({ code: "Unauthenticated", message: "The bearer token is not known here" });
});

test("a file of tokens that is wrong is refused with the lines, without their content", () => {
  const bad = `${hashToken("x")} acme shop owner\nplain-text-secret acme shop member\n${hashToken("y")} acme\n`;
  expect(() => createTokenAuthenticator(bad, { source: "/etc/tokens" })).toThrow(
    "Cannot use the tokens of /etc/tokens: line 1: the role must be one of admin, member; " +
      "line 2: must begin with 64 hex digits, the SHA-256 of the token; " +
      "line 3: must have four words: SHA-256 of the token, organisation, project, role",
  );
  expect(() => createTokenAuthenticator("# nothing\n", { source: "t" })).toThrow(/nobody could call/);
});
