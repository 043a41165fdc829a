import { existsSync } from "node:fs";
import { join } from "node:path";

import { provideSystemPackages, type SystemPackage } from "../system-packages.ts";
import { run } from "../test-run/command.ts";

/** Not in the repository: what the benchmarks download for comparison. */
const CACHE = join(import.meta.dirname, ".cache");
const HTTP_PROXY = "http-proxy@1.18.1";

/** Where npm's http-proxy is once {@link providePrograms} has brought it. */
export const HTTP_PROXY_MODULE = join(CACHE, "node_modules", "http-proxy");

const debian = (name: string, program: string): SystemPackage => ({
  debian: name,
  program,
  suites: [`l7: ${program}`],
});

const wanted: readonly SystemPackage[] = [
  debian("wrk", "wrk"),
  debian("haproxy", "haproxy"),
  debian("nginx-light", "nginx"),
  debian("nghttp2-client", "h2load"),
  debian("openssl", "openssl"),
  debian("iproute2", "ip"),
];

/** Brings what the benchmarks compare with, where that is allowed. @returns a line for each that is missing. */
export async function providePrograms(): Promise<string[]> {
  const { skips } = await provideSystemPackages({ install: true, wanted });
  const lines = skips.map(({ reason }) => reason);
  if (!existsSync(HTTP_PROXY_MODULE)) {
    const options = ["--prefix", CACHE, "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"];
    const { code } = await run("npm", ["install", ...options, HTTP_PROXY], { timeoutMs: 60_000 });
    if (code !== 0) lines.push(`needs npm's ${HTTP_PROXY}, which could not be installed into ${CACHE}`);
  }
  return lines;
}
