import { readdirSync, readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { dirname, join, resolve } from "node:path";
import { createContext, SourceTextModule } from "node:vm";

import { describe, expect, test } from "@jest/globals";

import * as maglev from "../src/index.ts";

const source = resolve(import.meta.dirname, "../src");
const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));

/** Loads the package's sources as modules of a context that has what browsers have beyond the language: little. */
async function loadInBrowserLikeContext(): Promise<Record<string, unknown>> {
  const context = createContext({ TextEncoder, atob });
  const modules = new Map<string, SourceTextModule>();
  const load = (file: string): SourceTextModule => {
    const known = modules.get(file);
    if (known !== undefined) return known;
    const module = new SourceTextModule(stripTypeScriptTypes(readFileSync(file, "utf8")), {
      context,
      identifier: file,
    });
    modules.set(file, module);
    return module;
  };
  const entry = load(join(source, "index.ts"));
  await entry.link((specifier, referrer) => load(resolve(dirname(referrer.identifier), specifier)));
  await entry.evaluate();
  return entry.namespace as Record<string, unknown>;
}

describe("in a browser", () => {
  test.each(files)("src/%s imports its siblings only", (name) => {
    const text = readFileSync(join(source, name), "utf8");
    const specifiers = Array.from(text.matchAll(/(?:from|import)\s*\(?"([^"]+)"/g), ([, specifier]) => specifier);
    expect(specifiers.filter((specifier) => !/^\.\.?\//.test(specifier ?? ""))).toEqual([]);
    expect(text).not.toMatch(/\b(?:process|Buffer|require|global)\b[.(]/);
  });

  test("the package has no dependency", () => {
    const manifest = JSON.parse(readFileSync(join(source, "../package.json"), "utf8")) as Record<string, unknown>;
    expect([manifest["dependencies"], manifest["peerDependencies"]]).toEqual([undefined, undefined]);
  });

  test("tables, hashes and flows work without Node's globals", async () => {
    const api = (await loadInBrowserLikeContext()) as typeof maglev;
    const backends = [90, 91, 92, 93, 94, 95].map((port) => ({ name: `127.0.0.1:${port}` }));
    expect(api.buildTable(backends, { size: 7 }).slots.join()).toBe("2,4,0,1,5,0,3");
    expect(api.xxHash64("é")).toBe(maglev.xxHash64("é"));
    expect(api.scale(new api.FlowHash({ seed: 7 }).source("10.77.1.7"), 65_537)).toBe(28_592);
  });
});
