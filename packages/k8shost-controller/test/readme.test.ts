import { EventEmitter } from "node:events";
import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";

import { expect, test } from "@jest/globals";

import {
  type Controller,
  createController,
  FINALIZER,
  keyText,
  matchesFilter,
  type Pod,
  type Service,
} from "../src/index.ts";
import { FakeFiberlb } from "./fake-fiberlb.ts";
import { meta, pod, service } from "./fake-source.ts";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const [, example = ""] = /```ts no-run\n(.*?)```/s.exec(readme) ?? [];

type Embed = (services: Map<string, Service>, pods: Map<string, Pod>, changes: EventEmitter) => Controller;

/** The example's function, with what it imports handed in. */
function embedWith(values: Readonly<Record<string, unknown>>): Embed {
  const code = example.slice(example.indexOf("export function")).replace("export ", "return ");
  // eslint-disable-next-line typescript/no-implied-eval -- the text is the README's
  const make = new Function(
    ...Object.keys(values),
    stripTypeScriptTypes(`(() => { ${code} })()`).replace("(", "return ("),
  );
  return (make as (...given: unknown[]) => Embed)(...Object.values(values));
}

test("the README's example embeds a controller in 15 lines", async () => {
  const body = example.slice(example.indexOf("export function")).trim().split("\n").slice(1, -1);
  expect(body.length).toBeLessThanOrEqual(15);
  const fiberlb = new FakeFiberlb();
  const createFiberlbClient = () => fiberlb.client;
  const embed = embedWith({ EventEmitter, createFiberlbClient, createController, keyText, matchesFilter });
  const [services, pods, changes] = [new Map<string, Service>(), new Map<string, Pod>(), new EventEmitter()];
  const controller = embed(services, pods, changes);
  controller.start();
  const web = service("web");
  services.set(keyText(web.meta), web);
  pods.set("web-1", pod("web", 1));
  changes.emit("key", web.meta);
  const now = (): Service | undefined => services.get(keyText(meta("web")));
  while (now()?.ingressIps[0] !== "127.10.0.1") await new Promise((resolve) => void setImmediate(resolve));
  expect(fiberlb.trees[0]?.pools).toEqual({ "tcp-80": ["10.0.0.1:8080 ×1"] });
  expect(now()?.meta.finalizers).toContain(FINALIZER);
  await controller.stop();
});
