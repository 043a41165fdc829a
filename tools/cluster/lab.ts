// The machines: built, handed out, and removed again whatever happens.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import { join } from "node:path";

import { Host } from "./host.ts";
import { isAlive, namespaceOf, namespacesOf, removeNamespaces, sweepDeadRuns } from "./namespaces.ts";
import { buildNetwork } from "./network.ts";
import { hostPlans } from "./plan.ts";
import { writePrograms } from "./programs.ts";
import { serveSystemctl } from "./systemctl.ts";
import { appointUndertaker } from "./undertaker.ts";
import { Units } from "./units.ts";

/** Comes with Debian's package of BIRD. */
const BIRD_UNIT = `[Service]
RuntimeDirectory=bird
ExecStart=/usr/sbin/bird -f -c /etc/bird/bird.conf -s /run/bird/bird.ctl -P /run/bird/bird.pid
`;

/** Not tmpdir(), which may be below /var or /run: of those the machines have their own. */
const FOLDERS = "/tmp";

/** Removes what runs left that were killed: namespaces and folders. */
function sweep(): void {
  sweepDeadRuns();
  for (const name of readdirSync(FOLDERS)) {
    const owner = /^flb-(\d+)-/.exec(name)?.[1];
    if (owner !== undefined && !isAlive(Number(owner))) rmSync(join(FOLDERS, name), { recursive: true, force: true });
  }
}

/** Cabled machines on which nothing runs yet. */
export class Lab {
  readonly folder: string;
  readonly #hosts = new Map<string, { readonly host: Host; readonly units: Units }>();
  readonly #removeOnExit = (): void => this.#remove();
  #systemctl: Server | undefined;
  #dismissUndertaker = (): void => undefined;

  private constructor() {
    this.folder = mkdtempSync(join(FOLDERS, `flb-${process.pid}-`));
  }

  /** Builds one, after removing what dead runs left. One at a time in a process. */
  static async open(): Promise<Lab> {
    sweep();
    const lab = new Lab();
    process.once("exit", lab.#removeOnExit);
    try {
      await lab.#build();
      return lab;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  /** @throws Error when there is no such machine */
  host(name: string): Host {
    return this.#of(name).host;
  }

  /** The machines that are nodes, or can become one. */
  nodes(): readonly Host[] {
    const names = hostPlans.filter(({ role }) => role === "node").map(({ name }) => name);
    return names.map((name) => this.host(name));
  }

  /** What runs on a machine. @throws Error when there is no such machine */
  units(name: string): Units {
    return this.#of(name).units;
  }

  /** Ends everything and leaves nothing behind. Idempotent. */
  async close(): Promise<void> {
    await Promise.all([...this.#hosts.values()].map(({ units }) => units.killAll()));
    for (const { host } of this.#hosts.values()) host.close();
    this.#systemctl?.close();
    this.#remove();
    process.off("exit", this.#removeOnExit);
  }

  /** The last lines of every daemon, for whoever has to find out what went wrong. */
  logs(lines = 15): string {
    const of = ({ host, units }: { readonly host: Host; readonly units: Units }): readonly string[] =>
      units.names.map(
        (unit) => `--- ${host.name}: ${unit}${units.isActive(unit) ? "" : " (not running)"}\n${units.log(unit, lines)}`,
      );
    return [...this.#hosts.values()].flatMap(of).join("\n");
  }

  #of(name: string) {
    const found = this.#hosts.get(name);
    if (found === undefined) throw new Error(`no such host: ${name}`);
    return found;
  }

  async #build(): Promise<void> {
    const bin = join(this.folder, "bin");
    writePrograms(bin);
    this.#dismissUndertaker = appointUndertaker(
      this.folder,
      hostPlans.map(({ name }) => namespaceOf(name)),
    );
    buildNetwork();
    const hosts = await Promise.all(hostPlans.map(({ name }) => Host.start(name, { folder: this.folder, bin })));
    for (const host of hosts) this.#hosts.set(host.name, { host, units: new Units(host) });
    writeFileSync(this.host("router").path("/etc/systemd/system/bird.service"), BIRD_UNIT);
    const unitsOf = (name: string): Units | undefined => this.#hosts.get(name)?.units;
    this.#systemctl = await serveSystemctl(join(this.folder, "systemctl.sock"), unitsOf);
  }

  #remove(): void {
    removeNamespaces(namespacesOf(process.pid));
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
    this.#dismissUndertaker();
  }
}
