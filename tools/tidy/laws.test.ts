// A law that cannot fail is a defect: each is shown repositories that break it, and one that does not.
import { describe, expect, test } from "@jest/globals";

import { format, type Law } from "./law.ts";
import { laws } from "./laws.ts";
import { builtinsLaw } from "./laws/builtins.ts";
import { cyclesLaw } from "./laws/cycles.ts";
import { deadFilesLaw } from "./laws/dead-files.ts";
import { dependenciesLaw } from "./laws/dependencies.ts";
import { dependencyReasonsLaw } from "./laws/dependency-reasons.ts";
import { docstringsLaw } from "./laws/docstrings.ts";
import { foldersLaw } from "./laws/folders.ts";
import { leftoversLaw } from "./laws/leftovers.ts";
import { namesLaw } from "./laws/names.ts";
import { noSleepsLaw } from "./laws/no-sleeps.ts";
import { packageImportsLaw } from "./laws/package-imports.ts";
import { packageShapeLaw } from "./laws/package-shape.ts";
import { pureFilesLaw } from "./laws/pure-files.ts";
import { syntaxLaw } from "./laws/syntax.ts";
import { timeAndChanceLaw } from "./laws/time-and-chance.ts";
import { type Manifest, repositoryFrom } from "./repository.ts";

type Texts = Readonly<Record<string, string>>;

interface Case {
  law: Law;
  /** What is wrong → the files and the breaches that must be found, `file:line` and a part of the message. */
  breaches: Readonly<Record<string, { files: Texts; found: readonly [where: string, message: string][] }>>;
  sound: Texts;
}

const manifest = (folder: string, more: Partial<Manifest> = {}): Texts => ({
  [`packages/${folder}/package.json`]: JSON.stringify({
    name: folder === "fiberlb" ? folder : `@fiberlb/${folder}`,
    version: "0.1.0",
    type: "module",
    license: "Apache-2.0",
    repository: { directory: `packages/${folder}` },
    engines: { node: folder === "store" || folder === "server" ? ">=26" : ">=22.18" },
    exports: { ".": { "@fiberlb/source": "./src/index.ts", types: "./dist/index.d.ts", default: "./dist/index.js" } },
    ...more,
  }),
});

const server = "packages/server/src";

const cases: readonly Case[] = [
  {
    law: syntaxLaw,
    breaches: {
      "half a statement": {
        files: { ...manifest("cli"), "packages/cli/src/a.ts": `\nconst = 1;` },
        found: [["packages/cli/src/a.ts:2", "syntax error"]],
      },
    },
    sound: { ...manifest("cli"), "packages/cli/src/a.ts": `const a: number = 1;` },
  },
  {
    law: packageImportsLaw,
    breaches: {
      "a package outside the table": {
        files: {
          ...manifest("store"),
          ...manifest("types"),
          "packages/store/src/index.ts": `import "@fiberlb/types";`,
        },
        found: [["packages/store/src/index.ts:1", "store may not import @fiberlb/types"]],
      },
      "another package's internals": {
        files: {
          ...manifest("api"),
          ...manifest("types"),
          "packages/api/src/a.ts": `import { x } from "@fiberlb/types/src/x.ts";`,
        },
        found: [["packages/api/src/a.ts:1", "is not in the exports of @fiberlb/types"]],
      },
      "a path into another package": {
        files: { ...manifest("api"), "packages/api/src/a.ts": `\nexport * from "../../types/src/index.ts";` },
        found: [["packages/api/src/a.ts:2", "leaves the package"]],
      },
      "a package that the table doesn't know": {
        files: manifest("extra"),
        found: [["packages/extra", "add its allowed imports"]],
      },
    },
    sound: {
      ...manifest("api"),
      ...manifest("types"),
      "packages/api/src/a.ts": `import type { X } from "@fiberlb/types";\nimport "./b.ts";`,
    },
  },
  {
    law: foldersLaw,
    breaches: {
      "the data path reads the repository": {
        files: { ...manifest("server"), [`${server}/data/pool.ts`]: `import type { R } from "../repository/r.ts";` },
        found: [[`${server}/data/pool.ts:1`, "the data path reads units"]],
      },
      "the data path reads the store": {
        files: { ...manifest("server"), ...manifest("store"), [`${server}/data/pool.ts`]: `import "@fiberlb/store";` },
        found: [[`${server}/data/pool.ts:1`, `may not import "@fiberlb/store"`]],
      },
      "a proxy opens sockets": {
        files: { ...manifest("server"), [`${server}/data/l4/tcp-proxy.ts`]: `import net from "node:net";` },
        found: [[`${server}/data/l4/tcp-proxy.ts:1`, "sockets come through data/transport/transport.ts"]],
      },
      "a proxy knows its engine": {
        files: { ...manifest("server"), [`${server}/data/l7/a.ts`]: `import "../transport/node-transport.ts";` },
        found: [[`${server}/data/l7/a.ts:1`, "which engine carries a connection"]],
      },
    },
    sound: {
      ...manifest("server"),
      ...manifest("maglev"),
      [`${server}/data/l4/tcp-proxy.ts`]: `import "../transport/transport.ts"; import "@fiberlb/maglev"; import "re2js";`,
      [`${server}/data/listeners.ts`]: `import "../snapshot/snapshot.ts"; import "../clock.ts"; import "node:net";`,
    },
  },
  {
    law: pureFilesLaw,
    breaches: {
      "I/O in a pure file": {
        files: { ...manifest("server"), [`${server}/vip/allocator.ts`]: `import fs from "node:fs";` },
        found: [[`${server}/vip/allocator.ts:1`, `reaches "node:fs"`]],
      },
      "a clock by way of another file": {
        files: {
          ...manifest("server"),
          [`${server}/snapshot/compile.ts`]: `\nimport { a } from "./a.ts";`,
          [`${server}/snapshot/a.ts`]: `import { clock } from "../clock.ts";`,
        },
        found: [[`${server}/snapshot/compile.ts:2`, `reaches "../clock.ts" through ${server}/snapshot/a.ts`]],
      },
    },
    sound: {
      ...manifest("server"),
      [`${server}/health/health.ts`]: `import type { Clock } from "../clock.ts"; import { hash } from "node:crypto";`,
    },
  },
  {
    law: builtinsLaw,
    breaches: {
      "a built-in module in maglev": {
        files: { ...manifest("maglev"), "packages/maglev/src/a.ts": `import type { Buffer } from "node:buffer";` },
        found: [["packages/maglev/src/a.ts:1", "do without node:buffer"]],
      },
    },
    sound: { ...manifest("maglev"), "packages/maglev/test/a.test.ts": `import "node:fs";` },
  },
  {
    law: dependenciesLaw,
    breaches: {
      "an undeclared and an unused dependency": {
        files: {
          ...manifest("cli", { dependencies: { yaml: "^2.0.0" } }),
          "packages/cli/src/a.ts": `import("commander");`,
        },
        found: [
          ["packages/cli/src/a.ts:1", "commander is not in the package's dependencies"],
          ["packages/cli/package.json", "yaml is in dependencies but nothing imports it"],
        ],
      },
      "a test tool in the source": {
        files: {
          "package.json": JSON.stringify({ devDependencies: { "fast-check": "4.0.0" } }),
          ...manifest("cli"),
          "packages/cli/src/a.ts": `import "fast-check";`,
        },
        found: [["packages/cli/src/a.ts:1", "fast-check is not in the package's dependencies"]],
      },
    },
    sound: {
      "package.json": JSON.stringify({ devDependencies: { "fast-check": "4.0.0" } }),
      ...manifest("cli", { dependencies: { yaml: "^2.0.0" } }),
      "packages/cli/src/a.ts": `import { parse } from "yaml/browser"; import "node:fs"; import "./b.ts";`,
      "packages/cli/test/a.test.ts": `import "fast-check";`,
    },
  },
  {
    law: dependencyReasonsLaw,
    breaches: {
      "a dependency without a row, and one whose row doesn't name the package": {
        files: {
          ...manifest("cli", { dependencies: { yaml: "^2.0.0", zod: "^4.0.0" } }),
          "docs/decisions/0002-dependencies.md": "| `zod` | types, server | parsing | by hand |",
        },
        found: [
          ["packages/cli/package.json", "yaml, used by cli, is not in the table"],
          ["packages/cli/package.json", "zod, used by cli, is not in the table"],
        ],
      },
    },
    sound: {
      ...manifest("types"),
      ...manifest("cli", { dependencies: { zod: "^4.0.0", "@fiberlb/types": "0.1.0" } }),
      "docs/decisions/0002-dependencies.md": "| `zod` | types, cli | parsing | by hand |",
    },
  },
  {
    law: cyclesLaw,
    breaches: {
      "three files in a ring": {
        files: {
          ...manifest("cli"),
          "packages/cli/src/a.ts": `import "./b.ts";`,
          "packages/cli/src/b.ts": `import type { C } from "./sub/c.ts";`,
          "packages/cli/src/sub/c.ts": `export * from "../a.ts";`,
        },
        found: [["packages/cli/src/sub/c.ts:1", "cycle a.ts → b.ts → sub/c.ts → a.ts"]],
      },
    },
    sound: {
      ...manifest("cli"),
      "packages/cli/src/a.ts": `import "./b.ts"; import "./c.ts";`,
      "packages/cli/src/b.ts": `import "./c.ts";`,
      "packages/cli/src/c.ts": ``,
    },
  },
  {
    law: deadFilesLaw,
    breaches: {
      "a file that only a test uses": {
        files: {
          ...manifest("server"),
          [`${server}/index.ts`]: ``,
          [`${server}/lost.ts`]: ``,
          "packages/server/test/lost.test.ts": `import "../src/lost.ts";`,
        },
        found: [[`${server}/lost.ts`, "nothing reaches it"]],
      },
    },
    sound: {
      ...manifest("server", { exports: { "./contract": { "@fiberlb/source": "./src/contract.ts" } } }),
      [`${server}/index.ts`]: `import "./pool.ts";`,
      [`${server}/pool.ts`]: `new Worker(new URL("./worker.ts", import.meta.url));`,
      [`${server}/worker.ts`]: ``,
      [`${server}/contract.ts`]: ``,
    },
  },
  {
    law: timeAndChanceLaw,
    breaches: {
      "every door to time and chance": {
        files: {
          ...manifest("store"),
          "packages/store/src/a.ts": [
            `Date.now();`,
            `new Date();`,
            `setTimeout(f, 1);`,
            `globalThis.setInterval(f, 1);`,
            `performance.now();`,
            `Math.random();`,
            `const later = { setTimeout };`,
            `import { setTimeout as sleep } from "node:timers/promises";`,
          ].join("\n"),
        },
        found: [
          ["packages/store/src/a.ts:8", "node:timers/promises is only for clock.ts"],
          ["packages/store/src/a.ts:1", "Date.now is only for clock.ts"],
          ["packages/store/src/a.ts:2", "new Date()"],
          ["packages/store/src/a.ts:3", "setTimeout"],
          ["packages/store/src/a.ts:4", "setInterval"],
          ["packages/store/src/a.ts:5", "performance.now"],
          ["packages/store/src/a.ts:6", "Math.random"],
          ["packages/store/src/a.ts:7", "setTimeout"],
        ],
      },
    },
    sound: {
      ...manifest("store"),
      "packages/store/src/clock.ts": `export const now = () => Date.now();`,
      "packages/store/src/a.ts": `
        // Date.now() in a comment
        const text = "setTimeout()", at = new Date(5), pattern = /Math.random()/;
        clock.setTimeout(f, 1); clock.now();
        const fake: Clock = { setTimeout: f, now: f };
        let timer: ReturnType<typeof setTimeout>;
        class C { setInterval() {} }`,
      "packages/store/test/a.test.ts": `setTimeout(f, 1);`,
    },
  },
  {
    law: noSleepsLaw,
    breaches: {
      "every kind of sleep": {
        files: {
          ...manifest("cli"),
          "packages/cli/test/a.test.ts": [
            `import { setTimeout } from "node:timers/promises";`,
            `await new Promise((resolve) => setTimeout(resolve, 10));`,
            `await new Promise((done) => {`,
            `  setTimeout(done, 10);`,
            `});`,
          ].join("\n"),
        },
        found: [
          ["packages/cli/test/a.test.ts:1", "sleeps"],
          ["packages/cli/test/a.test.ts:2", "sleeps"],
          ["packages/cli/test/a.test.ts:3", "sleeps"],
        ],
      },
    },
    sound: {
      ...manifest("cli"),
      "packages/cli/test/a.test.ts": `
        await new Promise((resolve, reject) => {
          setTimeout(() => reject(new Error("nothing came within 5 s")), 5000).unref();
          socket.once("data", resolve);
        });
        await new Promise((resolve) => server.listen(0, resolve));`,
    },
  },
  {
    law: namesLaw,
    breaches: {
      "empty words and capitals": {
        files: {
          "packages/cli/src/utils/x.ts": ``,
          "packages/cli/src/base.ts": ``,
          "packages/cli/src/parse.helper.ts": ``,
          "packages/cli/test/fooBar.test.ts": ``,
        },
        found: [
          ["packages/cli/src/base.ts", `"base" says nothing`],
          ["packages/cli/src/parse.helper.ts", `"helper" says nothing`],
          ["packages/cli/src/utils/x.ts", `"utils" says nothing`],
          ["packages/cli/test/fooBar.test.ts", "kebab-case"],
        ],
      },
    },
    sound: { "packages/cli/src/database-manager-address.ts": ``, "tsconfig.base.json": `{}` },
  },
  {
    law: leftoversLaw,
    breaches: {
      "a note and focused tests": {
        files: {
          "packages/cli/src/a.ts": `/*\n * TODO: later */`,
          "packages/cli/test/a.test.ts": `describe.only("a", () => {});\nfit("b", () => {});`,
        },
        found: [
          ["packages/cli/src/a.ts:1", "TODO comment"],
          ["packages/cli/test/a.test.ts:1", "silences all other tests"],
          ["packages/cli/test/a.test.ts:2", "silences all other tests"],
        ],
      },
    },
    sound: { "packages/cli/test/a.test.ts": `const why = "TODO"; describe.skip("only", () => { query.only(); });` },
  },
  {
    law: packageShapeLaw,
    breaches: {
      "missing files and a wrong package.json": {
        files: {
          ...manifest("cli", { type: "commonjs", exports: { ".": "./dist/index.js" } }),
          "packages/cli/src/index.ts": ``,
        },
        found: [
          ["packages/cli", "has no README.md"],
          ["packages/cli", "has no test"],
          ["packages/cli/package.json", `"type" is commonjs: make it module`],
          ["packages/cli/package.json", "must have the conditions"],
        ],
      },
      "a sibling at another version": {
        files: {
          ...manifest("api", { dependencies: { "@fiberlb/types": "^0.1.0" } }),
          ...manifest("types"),
          ...Object.fromEntries(
            ["api", "types"].flatMap((folder) =>
              ["README.md", "src/index.ts", "test/a.test.ts"].map((file) => [`packages/${folder}/${file}`, ``]),
            ),
          ),
        },
        found: [["packages/api/package.json", "depends on @fiberlb/types ^0.1.0: make it 0.1.0"]],
      },
    },
    sound: {
      ...manifest("cli"),
      "packages/cli/README.md": ``,
      "packages/cli/src/index.ts": ``,
      "packages/cli/test/a.test.ts": ``,
    },
  },
  {
    law: docstringsLaw,
    breaches: {
      "bare names, direct and by way of other files": {
        files: {
          ...manifest("cli"),
          "packages/cli/src/index.ts": `
export const a = 1;
export * from "./b.ts";
export { d as renamed } from "./c.ts";`,
          "packages/cli/src/b.ts": `\n// no docstring\nexport interface B {}`,
          "packages/cli/src/c.ts": `\n\nfunction d() {}\nconst inner = 1;\nexport { d, inner };`,
        },
        found: [
          ["packages/cli/src/index.ts:2", "a is public but has no docstring"],
          ["packages/cli/src/b.ts:3", "B is public"],
          ["packages/cli/src/c.ts:3", "d is public"],
        ],
      },
    },
    sound: {
      ...manifest("cli"),
      "packages/cli/src/index.ts": `export { type C, c } from "./c.ts";\nexport { z } from "zod";`,
      "packages/cli/src/c.ts": `/** One. */\nexport const c = 1;\n/** Two. */\nexport type C = 1;\nexport const internal = 1;`,
    },
  },
];

const found = (law: Law, files: Texts): string[] => law.check(repositoryFrom(files)).map(format);

test("every law is shown to fail", () => {
  expect(cases.map(({ law }) => law.name).toSorted()).toEqual(laws.map(({ name }) => name).toSorted());
});

describe.each(cases.map((one) => ({ name: one.law.name, ...one })))("$name", ({ law, breaches, sound }) => {
  test.each(Object.entries(breaches))("finds %s", (_name, { files, found: expected }) => {
    const actual = found(law, files);
    expect(actual).toHaveLength(expected.length);
    for (const [index, [where, message]] of expected.entries()) {
      expect(actual[index]).toContain(`${where}: `);
      expect(actual[index]).toContain(message);
    }
  });

  test("accepts what is sound", () => {
    expect(found(law, sound)).toEqual([]);
  });
});
