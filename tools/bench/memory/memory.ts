import { readFileSync, writeFileSync } from "node:fs";

import type { IsolatedOptions, Sections } from "../isolation.ts";
import { makeCertificate } from "../l7/certificate.ts";
import { type CertificateFiles, HTTP_PORT, HTTPS_PORT, startFiberlb } from "../l7/fiberlb.ts";
import type { NodeMemory } from "../node.ts";
import { Processes } from "../processes.ts";
import type { BenchTable } from "../table.ts";
import { type Target, Traffic } from "./traffic.ts";

const KIB = 1024;
const MIB = 2 ** 20;
/** Longer than it takes to open all connections on a busy machine. */
const IDLE_TIMEOUT_MS = 600_000;
const COLUMNS = ["what", "resident at the start", "with it", "each", "of that heap", "buffers", "target"];
const BUFFER_SYSCTLS = ["tcp_rmem", "tcp_wmem"].map((name) => `/proc/sys/net/ipv4/${name}`);
const SMALL_BUFFERS = "4096 16384 131072";

/** What a scenario adds to the table. */
interface Finding {
  readonly rows: readonly (readonly string[])[];
  readonly notes: readonly string[];
}

interface Setting extends IsolatedOptions {
  readonly certificate: CertificateFiles | undefined;
}

/** A kind of traffic under which memory is measured. */
interface Scenario {
  readonly name: string;
  readonly measure: (setting: Setting) => Promise<Finding>;
}

const scenarios: readonly Scenario[] = [
  { name: "idle HTTP/1.1 clients", measure: (setting) => idleClients(setting, false) },
  { name: "idle HTTPS clients", measure: (setting) => idleClients(setting, true) },
  { name: "slow uploads", measure: slowUploads },
  { name: "large upload", measure: largeUpload },
];

/** What a node's memory grows by with idle clients, with uploads that a backend does not read, and with a long one. */
export async function benchMemory(options: IsolatedOptions): Promise<Sections> {
  const chosen = scenarios.filter(({ name }) => name.includes(options.only));
  if (chosen.length === 0) throw new Error(`Cannot run memory: no scenario has "${options.only}" in its name`);
  const processes = new Processes();
  const table: BenchTable = {
    title: "Memory of a node with one worker, after a collection in every thread",
    columns: COLUMNS,
    rows: [],
    notes: ["resident: the whole process; the kernel's memory of sockets is not in it"],
  };
  try {
    const setting = { ...options, certificate: makeCertificate(processes) };
    for (const { measure } of chosen) {
      const { rows, notes } = await measure(setting);
      table.rows.push(...rows.map((row) => [...row]));
      table.notes?.push(...notes);
    }
    return { memory: table };
  } finally {
    await processes.close();
  }
}

/** A node, its clients and its backend, ended after `work`. */
async function withTraffic<T>(
  { certificate }: Setting,
  work: (parts: {
    traffic: Traffic;
    http: Target;
    https: Target;
    memory: () => Promise<NodeMemory>;
    pid: number;
  }) => Promise<T>,
): Promise<T> {
  const traffic = await Traffic.start();
  const tls = certificate === undefined ? {} : { certificate };
  const { node, vip: address } = await startFiberlb({
    backendPort: traffic.backendPort,
    clientIdleTimeoutMs: IDLE_TIMEOUT_MS,
    ...tls,
  });
  try {
    const http = { address, port: HTTP_PORT, tls: false };
    const https = { address, port: HTTPS_PORT, tls: true };
    return await work({ traffic, http, https, memory: () => node.memory(), pid: node.pid });
  } finally {
    await traffic.stop();
    await node.stop();
  }
}

function idleClients(setting: Setting, isTls: boolean): Promise<Finding> {
  const count = setting.quick ? 1000 : 10_000;
  const name = `${count.toLocaleString("en")} idle ${isTls ? "HTTPS" : "HTTP/1.1"} clients`;
  return withTraffic(setting, async ({ traffic, http, https, memory }) => {
    if (isTls && setting.certificate === undefined) return { rows: [], notes: [`${name}: skipped, needs openssl`] };
    const before = await memory();
    await traffic.idle(count, isTls ? https : http);
    const target = isTls ? "" : "≤ 15 KiB";
    return { rows: [growth(name, { before, after: await memory(), count, target })], notes: [] };
  });
}

function slowUploads(setting: Setting): Promise<Finding> {
  const count = setting.quick ? 100 : 1000;
  const name = `${count.toLocaleString("en")} slow uploads`;
  return withTraffic(setting, async ({ traffic, http, memory }) => {
    const before = await memory();
    const least = await withSmallBuffers(setting, () => traffic.slowUploads(count, http));
    const sent = `slow uploads: 10 MiB each, the backend does not read; each client has sent ${(least / KIB).toFixed(0)} KiB or more`;
    return { rows: [growth(name, { before, after: await memory(), count, target: "≤ 64 KiB" })], notes: [sent] };
  });
}

/** The kernel buffers megabytes for each socket; with less, more of an upload is left to the balancer. */
async function withSmallBuffers<T>({ place }: Setting, work: () => Promise<T>): Promise<T> {
  if (!place.includes("namespace")) return work();
  const before = BUFFER_SYSCTLS.map((path) => readFileSync(path, "utf8"));
  for (const path of BUFFER_SYSCTLS) writeFileSync(path, SMALL_BUFFERS);
  try {
    return await work();
  } finally {
    BUFFER_SYSCTLS.forEach((path, index) => writeFileSync(path, before[index]!));
  }
}

function largeUpload(setting: Setting): Promise<Finding> {
  const bytes = (setting.quick ? 1 : 10) * 2 ** 30;
  const name = `upload of ${bytes / 2 ** 30} GiB`;
  return withTraffic(setting, async ({ traffic, http, memory, pid }) => {
    const { rssBytes: before } = await memory();
    const seen: number[] = [];
    const seconds = await traffic.upload(bytes, http, () => seen.push(residentBytes(pid)));
    const cells = [name, mib(before), `at most ${mib(Math.max(...seen))}`, "", "", "", "does not grow"];
    const all = seen.map((rss) => (rss / MIB).toFixed(0)).join(", ");
    const speed = `${(bytes / MIB / seconds).toFixed(0)} MiB/s`;
    return { rows: [cells], notes: [`upload: ${speed}; MiB resident after every 256 MiB, uncollected: ${all}`] };
  });
}

/** As the kernel counts it. */
function residentBytes(pid: number): number {
  const [, kib = "0"] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) * KIB;
}

interface Growth {
  readonly before: NodeMemory;
  readonly after: NodeMemory;
  readonly count: number;
  readonly target: string;
}

function growth(name: string, { before, after, count, target }: Growth): string[] {
  const each = (key: keyof NodeMemory): string => `${((after[key] - before[key]) / count / KIB).toFixed(1)} KiB`;
  const { rssBytes } = after;
  return [
    name,
    mib(before.rssBytes),
    mib(rssBytes),
    each("rssBytes"),
    each("heapBytes"),
    each("externalBytes"),
    target,
  ];
}

const mib = (bytes: number): string => `${(bytes / MIB).toFixed(0)} MiB`;
