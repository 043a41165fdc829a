import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";

import { expect, test } from "@jest/globals";

import { type Controller, createController, type PodFilter, type Service, type ServiceStatus } from "../src/index.ts";
import { FakeFiberlb } from "./fake-fiberlb.ts";
import { FakeSource, pod, service } from "./fake-source.ts";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const [, example = ""] = /```ts\n(.*?)```/s.exec(readme) ?? [];

/** What the example imports from its own `./host.ts`. */
const hostOf = (source: FakeSource) => ({
  services: () => source.listServices(),
  service: (key: Service["meta"]) => source.getService(key),
  pods: (filter?: PodFilter) => source.listPods(filter),
  changes: (signal: AbortSignal) => source.watch(signal),
  setStatus: (one: Service, ingressIps: ServiceStatus["ingressIps"], condition: ServiceStatus["condition"]) =>
    source.writeStatus(one, { ingressIps, condition }),
  setFinalizers: (one: Service, finalizers: readonly string[]) => source.writeFinalizers(one, finalizers),
});

test("the README's example embeds a controller in 15 lines", async () => {
  const lines = example.split("\n").filter((line) => line !== "" && !line.startsWith("import"));
  expect(lines.length).toBeLessThanOrEqual(15);
  const [source, fiberlb] = [new FakeSource(), new FakeFiberlb()];
  const names = ["createFiberlbClient", "createController", "host"];
  const body = stripTypeScriptTypes(lines.join("\n"));
  // eslint-disable-next-line typescript/no-implied-eval -- the text is the README's
  const run = new Function(...names, `${body}\nreturn controller;`) as (...values: unknown[]) => Controller;
  const controller = run(() => fiberlb.client, createController, hostOf(source));
  source.put(service("web"), pod("web", 1));
  while (source.service("web")?.ingressIps[0] !== "127.10.0.1")
    await new Promise((resolve) => void setImmediate(resolve));
  expect(fiberlb.trees[0]?.pools).toEqual({ "tcp-80": ["10.0.0.1:8080 ×1"] });
  await controller.stop();
});
