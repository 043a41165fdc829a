import { afterEach, expect, it } from "@jest/globals";

import { type AdminProbes, type AdminServer, startAdminServer } from "../src/admin-server.ts";

let server: AdminServer | undefined;
afterEach(() => server?.close());

const PROBES: AdminProbes = {
  notReady: () => undefined,
  storeProblem: () => Promise.resolve(undefined),
  metrics: () => Promise.resolve("up 1\n"),
};

async function get(path: string, probes: Partial<AdminProbes> = {}, method = "GET"): Promise<string> {
  server = await startAdminServer({ host: "127.0.0.1", port: 0 }, { ...PROBES, ...probes });
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
  return `${response.status} ${(await response.text()).trim()}`;
}

it.each<[string, Partial<AdminProbes>, string]>([
  ["/healthz", {}, "200 ok"],
  ["/readyz", {}, "200 ok"],
  ["/readyz", { notReady: () => "the node drains" }, "503 the node drains"],
  ["/readyz/api", {}, "200 ok"],
  ["/readyz/api", { storeProblem: () => Promise.resolve("the store is closed") }, "503 the store is closed"],
  ["/metrics?x=1", {}, "200 up 1"],
  ["/nowhere", {}, "404 known here: /metrics /healthz /readyz /readyz/api"],
])("%s with %j answers %j", async (path, probes, expected) => expect(await get(path, probes)).toBe(expected));

it("stays ready when only the store is lost: traffic still flows", async () => {
  expect(await get("/readyz", { storeProblem: () => Promise.resolve("gone") })).toBe("200 ok");
});

it("only reads", async () => expect(await get("/healthz", {}, "POST")).toBe("405 only GET"));
