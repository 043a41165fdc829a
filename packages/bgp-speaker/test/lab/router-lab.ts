// A router (BIRD) and a node in two network namespaces with a veth pair between them: 10.99.0.254 and 10.99.0.1 (2001:db8:99::).
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

const run = promisify(execFile);

export const ROUTER = "10.99.0.254";
export const ROUTER_ASN = 64_500;
export const NODE = "10.99.0.1";
export const NODE_ASN = 64_512;

/** Why there can be no lab here; empty when there can. */
export function whyNoLab(): string {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "needs root on Linux";
  if (bird() === undefined) return "bird is not installed";
  const name = `bgp-${process.pid}-try`;
  const added = spawnSync("ip", ["netns", "add", name], { encoding: "utf8" });
  if (added.error !== undefined) return "ip is not installed";
  if (added.status !== 0) return `this host allows no network namespace: ${added.stderr.trim()}`;
  ip("netns", "del", name);
  return "";
}

/** Debian has it in sbin. */
const bird = (): string | undefined =>
  ["/usr/sbin/bird", "/usr/local/sbin/bird", "bird"].find((one) => spawnSync(one, ["--version"]).status === 0);

function ip(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync("ip", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** What BIRD is told about the node. */
export interface RouterOptions {
  readonly password?: string;
  /** `own`: the BFD session is there by itself. `with-bgp`: only as long as there is a BGP session, or an attempt at one. */
  readonly bfd?: "none" | "own" | "with-bgp";
  readonly gracefulRestart?: boolean;
  readonly holdTimeS?: number;
}

let made = 0;

/** The two namespaces, and BIRD in one of them. {@link remove} ends both. */
export class RouterLab {
  readonly node: string;
  readonly #router: string;
  readonly #folder = mkdtempSync(path.join(tmpdir(), "bird-"));
  #bird: ChildProcess | undefined;
  #monitor: ChildProcess | undefined;
  readonly #changes = new EventEmitter();

  constructor() {
    const name = `bgp-${process.pid}-${(made += 1)}`;
    this.node = `${name}-node`;
    this.#router = `${name}-router`;
    for (const one of [this.node, this.#router]) {
      ip("netns", "add", one);
      ip("-n", one, "link", "set", "lo", "up");
    }
    ip("-n", this.node, "link", "add", "up0", "type", "veth", "peer", "name", "down0", "netns", this.#router);
    ip("-n", this.node, "addr", "add", `${NODE}/24`, "dev", "up0");
    ip("-n", this.node, "addr", "add", "2001:db8:99::1/64", "dev", "up0", "nodad");
    ip("-n", this.#router, "addr", "add", `${ROUTER}/24`, "dev", "down0");
    ip("-n", this.#router, "addr", "add", "2001:db8:99::fe/64", "dev", "down0", "nodad");
    ip("-n", this.node, "link", "set", "up0", "up");
    ip("-n", this.#router, "link", "set", "down0", "up");
    this.#watchKernel();
  }

  /** Starts BIRD with one neighbour, the node. Routes that it learns go into the namespace's own table. */
  start(options: RouterOptions = {}): void {
    const file = path.join(this.#folder, "bird.conf");
    writeFileSync(file, configuration(options));
    const args = ["netns", "exec", this.#router, bird() ?? "bird", "-f", "-c", file, "-s", this.#control];
    this.#bird = spawn("ip", args, { stdio: "ignore" });
  }

  get #control(): string {
    return path.join(this.#folder, "bird.ctl");
  }

  /** What BIRD says about a route, attributes and all. */
  show(prefix: string): string {
    const { stdout } = spawnSync("birdc", ["-s", this.#control, `show route for ${prefix} all`], { encoding: "utf8" });
    return stdout;
  }

  /** Prefixes that the router's kernel forwards to the node. */
  async routes(): Promise<string[]> {
    const show = (family: string) => run("ip", ["-n", this.#router, "-o", family, "route", "show", "proto", "bird"]);
    const lists = await Promise.all([show("-4"), show("-6")]);
    const lines = lists.flatMap(({ stdout }) => stdout.split("\n").filter(Boolean));
    return lines.map((line) => line.split(" ")[0] as string).toSorted();
  }

  /** Waits until the router's own table is so; looks again whenever it has changed. */
  async untilRoutes(holds: (routes: readonly string[]) => boolean): Promise<string[]> {
    for (;;) {
      const changed = once(this.#changes, "change");
      const routes = await this.routes();
      if (holds(routes)) return routes;
      await changed;
    }
  }

  /** Cuts or mends the cable, on the router's side: the node sees no carrier. */
  setLink(state: "up" | "down"): void {
    ip("-n", this.#router, "link", "set", "down0", state);
    if (state === "up") ip("-n", this.#router, "-6", "addr", "replace", "2001:db8:99::fe/64", "dev", "down0", "nodad");
  }

  async remove(): Promise<void> {
    await Promise.all([end(this.#bird), end(this.#monitor)]);
    for (const one of [this.node, this.#router]) ip("netns", "del", one);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #watchKernel(): void {
    const monitor = spawn("ip", ["netns", "exec", this.#router, "ip", "monitor", "route"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    createInterface(monitor.stdout).on("line", () => this.#changes.emit("change"));
    this.#monitor = monitor;
  }
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

const bfdConfiguration = (bfd: "own" | "with-bgp"): string => `protocol bfd {
  interface "down0" { interval 100 ms; multiplier 3; };
  ${bfd === "own" ? `neighbor ${NODE} dev "down0";` : ""}
}`;

const configuration = ({ password, bfd = "none", gracefulRestart = false, holdTimeS = 9 }: RouterOptions): string => `
router id ${ROUTER};
protocol device { scan time 1; }
protocol direct { ipv4; ipv6; }
protocol kernel k4 { ipv4 { import none; export where source = RTS_BGP; }; merge paths on; }
protocol kernel k6 { ipv6 { import none; export where source = RTS_BGP; }; merge paths on; }
${bfd === "none" ? "" : bfdConfiguration(bfd)}
protocol bgp node {
  local ${ROUTER} as ${ROUTER_ASN};
  neighbor ${NODE} as ${NODE_ASN};
  hold time ${holdTimeS};
  graceful restart ${gracefulRestart ? "on" : "off"};
  connect delay time 1; connect retry time 5; error wait time 1, 5; error forget time 60;
  ${bfd === "none" ? "" : "bfd on;"}
  ${password === undefined ? "" : `password "${password}";`}
  ipv4 { import all; export none; };
  ipv6 { import all; export none; };
}
`;
