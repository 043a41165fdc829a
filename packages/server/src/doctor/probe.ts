import { execFile } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, readFileSync, statfsSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";

import { openEtcdStore } from "@fiberlb/store";

import { readLink } from "../announce/l2/link.ts";
import { openPacketSocket } from "../announce/l2/packet-socket.ts";
import type { Clock } from "../clock.ts";
import { type Config, parseListen } from "../config/config.ts";
import { answers, controlSocketPath } from "../control-socket.ts";
import { dataFolder } from "../data-folder.ts";
import { readHostLimits } from "../data/host-limits.ts";
import { etcdOptions } from "../open-store.ts";
import { probeDirectReturn } from "./direct-return-probe.ts";
import { type DoctorFacts, type EtcdFact, type PortFact, type StoreFact, SYSCTLS } from "./facts.ts";
import { probeGobgp } from "./gobgp-probe.ts";
import { linkPools } from "./link-pools.ts";
import { parseCapabilities, parseWildcardSockets } from "./parse-proc.ts";

const ETCD_TIMEOUT_MS = 3000;
const CONF = "/proc/sys/net/ipv4/conf";
/** Where Debian and others put them, which is not on everybody's PATH. */
const SBIN = "/usr/local/sbin:/usr/sbin:/sbin";

/** Looks at this host. Changes nothing; binds API and admin port for a moment. */
export async function probeHost(config: Config, clock: Clock): Promise<DoctorFacts> {
  const { path, kind } = config.store;
  const networks = readNetworks();
  const directReturn = await probeDirectReturn(networks);
  const folder = dataFolder(config);
  const conntrack = {
    count: readNumber("net.netfilter.nf_conntrack_count"),
    max: readNumber("net.netfilter.nf_conntrack_max"),
  };
  return {
    ports: { api: await tryPort(config.api.listen), admin: await tryPort(config.admin.listen) },
    nodeRuns: folder !== undefined && (await answers(controlSocketPath(folder))),
    openFiles: readHostLimits().openFiles,
    capabilities: parseCapabilities(read("/proc/self/status") ?? ""),
    unprivilegedPortStart: readNumber("net.ipv4.ip_unprivileged_port_start"),
    programs: {
      ip: await versionOf("ip", "-V"),
      nft: await versionOf("nft", "--version"),
      conntrack: (await versionOf("conntrack", "--version")) !== undefined,
      arping: (await versionOf("arping", "-V")) !== undefined,
    },
    conntrack:
      conntrack.count === undefined || conntrack.max === undefined
        ? undefined
        : { count: conntrack.count, max: conntrack.max },
    sysctls: Object.fromEntries(SYSCTLS.map((name) => [name, readSysctl(name)])),
    reversePathFilters: readReversePathFilters(),
    links: readLinks(config),
    packetSocket: linkPools(config).length === 0 ? "" : tryPacketSocket(),
    networks,
    ...(directReturn !== undefined && { directReturn }),
    wildcardSockets: readWildcardSockets(),
    store: kind === "sqlite" ? lookAtStore(resolve(path)) : undefined,
    ...(kind === "etcd" && { etcd: await askEtcd(config) }),
    keyFile: lookAtKey(config),
    gobgp: await probeGobgp(config.bgp, clock),
    epochMs: clock.epochMs(),
  };
}

/** undefined: there is no such file, or it is not for us. */
function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return undefined;
  }
}

const readSysctl = (name: string): string | undefined => read(`/proc/sys/${name.replaceAll(".", "/")}`);

function readNumber(name: string): number | undefined {
  const text = readSysctl(name);
  return text === undefined ? undefined : Number(text);
}

function tryPort(listen: string): Promise<PortFact> {
  return new Promise((done) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
    server.listen(parseListen(listen), () => server.close(() => done("free")));
  });
}

async function versionOf(program: string, argument: string): Promise<string | undefined> {
  try {
    const env = { ...process.env, PATH: `${process.env["PATH"] ?? ""}:${SBIN}` };
    const { stdout } = await promisify(execFile)(program, [argument], { env, timeout: 10_000 });
    return stdout.trim().split("\n", 1)[0];
  } catch {
    return undefined;
  }
}

function readReversePathFilters(): DoctorFacts["reversePathFilters"] {
  const names = existsSync(CONF) ? readdirSync(CONF) : [];
  return Object.fromEntries(names.map((name) => [name, Number(read(join(CONF, name, "rp_filter")) ?? 0)]));
}

/** Link-local networks hold nobody's VIPs. */
function readNetworks(): DoctorFacts["networks"] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.flatMap(({ cidr, internal, address, scopeid = 0 }) =>
      cidr === null || internal || scopeid > 0 || address.startsWith("fe80:") ? [] : [{ interface: name, cidr }],
    ),
  );
}

function readLinks(config: Config): DoctorFacts["links"] {
  const readings = linkPools(config).map(({ device }) => [device, readLink(device)] as const);
  return Object.fromEntries(readings.map(([device, reading]) => [device, reading.ok ? "" : reading.reason]));
}

function tryPacketSocket(): string {
  try {
    openPacketSocket().close();
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

function readWildcardSockets(): DoctorFacts["wildcardSockets"] {
  const protocols = ["tcp", "udp"] as const;
  return protocols.flatMap((protocol) =>
    [protocol, `${protocol}6`].flatMap((name) => parseWildcardSockets(protocol, read(`/proc/net/${name}`) ?? "")),
  );
}

function lookAtStore(path: string): StoreFact {
  let folder = dirname(path);
  while (!existsSync(folder)) folder = dirname(folder);
  const { bavail, bsize } = statfsSync(folder);
  const modifiedAtMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  return {
    path,
    folder,
    isWritable: isWritable(folder) && (modifiedAtMs === undefined || isWritable(path)),
    freeBytes: bavail * bsize,
    ...(modifiedAtMs !== undefined && { modifiedAtMs }),
  };
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

async function askEtcd({ store }: Config): Promise<EtcdFact> {
  const { endpoints = [] } = store;
  try {
    // Opening asks the cluster once.
    await (await openEtcdStore({ ...etcdOptions(store), timeoutMs: ETCD_TIMEOUT_MS })).close();
    return { endpoints };
  } catch (error) {
    return { endpoints, problem: (error as Error).message };
  }
}

function lookAtKey({ store, secrets }: Config): DoctorFacts["keyFile"] {
  const path = secrets.keyFile ?? (store.kind === "sqlite" ? join(dirname(store.path), "fiberlb.key") : undefined);
  const mode = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false })?.mode;
  return path === undefined || mode === undefined ? undefined : { path: resolve(path), mode: mode & 0o7777 };
}
