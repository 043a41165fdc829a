// Each package as a user gets it: its tarball (of `npm run build`) in an empty project, from JavaScript and TypeScript.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

import {
  closure,
  commandsOf,
  installConsumer,
  pack,
  runCommand,
  runJavaScript,
  sample,
  succeeded,
  typeCheck,
} from "./packed/consumer.ts";
import { type Example, examples } from "./packed/readme.ts";
import { root, run } from "./test-run/command.ts";
import { type Package, packages } from "./test-run/workspace.ts";

const published = packages().filter((one) => !one.private);
const built = published.filter(({ folder }) => existsSync(path.join(root, "packages", folder, "dist/index.js")));
const registry = (await run("npm", ["view", "zod", "version", "--prefer-online"], { timeoutMs: 30_000 })).code === 0;

const scratch = mkdtempSync(path.join(tmpdir(), "fiberlb-packed-"));
const tarballs = new Map<string, string>();

beforeAll(async () => {
  for (const one of built) tarballs.set(one.name, await pack(one, scratch));
}, 120_000);

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

test("every published package is built", () => {
  expect(built.map(({ name }) => name)).toEqual(published.map(({ name }) => name));
});

function readmeOf({ folder }: Package): Example[] {
  const file = path.join(root, "packages", folder, "README.md");
  return existsSync(file) ? examples(readFileSync(file, "utf8")) : [];
}

describe.each(built)("$name tarball", (one) => {
  test("has no fault that publint finds", async () => {
    const { messages, pkg } = await publint({ pkgDir: path.join(root, "packages", one.folder), strict: true });
    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
  }, 60_000);

  test("resolves to types and code that agree (attw)", async () => {
    const args = ["--no-install", "attw", "--profile", "esm-only", "--no-emoji", "--no-color"];
    succeeded(await run("npx", [...args, tarballs.get(one.name) as string]));
  }, 60_000);
});

const why = registry ? "" : "the npm registry cannot be reached";
(why ? describe.skip : describe)(`installed tarballs${why ? ` (skipped: ${why})` : ""}`, () => {
  describe.each(built)("$name", (one) => {
    const folder = path.join(scratch, "consumers", one.folder);

    beforeAll(async () => {
      const needed = closure(one).map(({ name }) => [name, tarballs.get(name) as string]);
      await installConsumer(folder, Object.fromEntries(needed) as Record<string, string>);
    }, 180_000);

    test("runs from JavaScript", async () => {
      succeeded(await runJavaScript(folder, sample(one)));
    }, 60_000);

    for (const { line, code, runs } of readmeOf(one)) {
      test(`does what README.md:${line} says`, async () => {
        succeeded(await typeCheck(folder, code, "nodenext"));
        if (runs) succeeded(await runJavaScript(folder, code));
      }, 60_000);
    }

    for (const name of commandsOf(one)) {
      test(`installs the command ${name}`, async () => {
        succeeded(await runCommand(folder, name, ["--version"]));
      }, 60_000);
    }

    test.each(["nodenext", "preserve"] as const)(
      "type-checks from TypeScript, module %s",
      async (kind) => {
        succeeded(await typeCheck(folder, sample(one), kind));
      },
      60_000,
    );
  });
});
