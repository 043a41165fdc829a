import { spawnSync } from "node:child_process";

import type { Post } from "./api.ts";
import { Program } from "./program.ts";

/** Two network namespaces with a cable between them: a load balancer's and its clients'. */
export interface Network {
  /** Stand before a command line that is to run there. */
  readonly inLoadBalancer: readonly string[];
  readonly inClient: readonly string[];
  /** Addresses on lo of the load balancer's namespace. */
  addressesOnLo(): string[];
  remove(): void;
}

/** Why there can be none here; empty when there can. */
export function whyNoNetwork(): string {
  if (process.platform !== "linux") return "needs Linux network namespaces";
  if (process.getuid?.() !== 0) return "needs root";
  if (spawnSync("ip", ["-V"]).error !== undefined) return "ip is not installed (iproute2)";
  const name = `fiberlb-try-${process.pid}`;
  const { status, stderr } = spawnSync("ip", ["netns", "add", name], { encoding: "utf8" });
  if (status !== 0) return `this host allows no network namespace: ${stderr.trim()}`;
  ip("netns", "del", name);
  return "";
}

function ip(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync("ip", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** Makes it; the client's namespace sends what is for `vips` to the load balancer's. */
export function createNetwork(vips: string): Network {
  const lb = `fiberlb-lb-${process.pid}`;
  const client = `fiberlb-client-${process.pid}`;
  for (const name of [lb, client]) {
    ip("netns", "add", name);
    ip("-n", name, "link", "set", "lo", "up");
  }
  ip("-n", lb, "link", "add", "up0", "type", "veth", "peer", "name", "up0", "netns", client);
  for (const [name, address] of [
    [lb, "192.0.2.1/24"],
    [client, "192.0.2.2/24"],
  ] as const) {
    ip("-n", name, "addr", "add", address, "dev", "up0");
    ip("-n", name, "link", "set", "up0", "up");
  }
  ip("-n", client, "route", "add", vips, "via", "192.0.2.1");
  return {
    inLoadBalancer: ["ip", "netns", "exec", lb],
    inClient: ["ip", "netns", "exec", client],
    addressesOnLo: () =>
      ip("-n", lb, "-o", "addr", "show", "dev", "lo")
        .split("\n")
        .flatMap((line) => /inet6? (\S+)/.exec(line)?.[1] ?? []),
    remove: () => [lb, client].forEach((name) => ip("netns", "del", name)),
  };
}

const POST_SCRIPT = `
const [url, body] = process.argv.slice(1);
const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
console.log(JSON.stringify({ status: response.status, text: await response.text() }));
`;

/** Reaches an API that listens in another network namespace. */
export const postFrom =
  (prefix: readonly string[]): Post =>
  async (url, json) => {
    const command = [process.execPath, "--input-type=module", "-e", POST_SCRIPT, url, json];
    const { stdout, stderr } = await new Program([...prefix, ...command]).ended;
    if (stdout[0] === undefined) throw new Error(`no answer from ${url}: ${stderr.join("\n")}`);
    return JSON.parse(stdout[0]) as { status: number; text: string };
  };
