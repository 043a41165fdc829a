import { existsSync } from "node:fs";

import { BALANCER_CORE, freePorts, isInstalled, LOAD_CORE, type Processes, untilListening } from "../processes.ts";
import { HTTP_PROXY_MODULE } from "../programs.ts";
import type { L7Case, Peer } from "./cases.ts";
import { makeCertificate } from "./certificate.ts";
import { type FiberlbUnderTest, HTTP_PORT, HTTPS_PORT, startFiberlb } from "./fiberlb.ts";
import { haproxyConfig, type PeerOptions } from "./haproxy.ts";
import { nginxBackendConfig, nginxPeerConfig } from "./nginx.ts";

const LARGE_BYTES = 65_536;

/** A balancer under measurement. */
export interface Contestant {
  readonly name: Peer | "FiberLB";
  readonly pid: number;
  readonly address: string;
  readonly ports: Readonly<Record<L7Case["scheme"], number | undefined>>;
}

/** Everything that is compared, running. */
export interface Contest {
  readonly contestants: readonly Contestant[];
  readonly fiberlb: FiberlbUnderTest;
  /** HAProxy's, with the ports of this run; undefined without HAProxy. */
  readonly haproxyConfig: string | undefined;
}

/** Starts a backend and every balancer that is installed. FiberLB's node is the caller's to stop. */
export async function startContest(processes: Processes): Promise<Contest> {
  const [backendPort, ...ports] = (await freePorts(6)) as [number, number, number, number, number, number];
  const certificate = makeCertificate(processes);
  await startBackend(processes, backendPort);
  const pem = certificate === undefined ? {} : { certificateFile: certificate.both };
  const contestants: Contestant[] = [];
  const haproxy: PeerOptions = { httpPort: ports[0], httpsPort: ports[1], backendPort, ...pem };
  const config = isInstalled("haproxy") ? haproxyConfig(haproxy) : undefined;
  if (config !== undefined) {
    const command = ["haproxy", "-f", processes.file("haproxy.cfg", config)];
    contestants.push(await startPeer(processes, "HAProxy", { ...haproxy, command }));
  }
  const nginx: PeerOptions = { httpPort: ports[2], httpsPort: ports[3], backendPort, ...pem };
  const file = processes.file("nginx-peer.conf", nginxPeerConfig(nginx));
  const nginxCommand = ["nginx", "-p", processes.folder, "-c", file];
  contestants.push(await startPeer(processes, "nginx", { ...nginx, command: nginxCommand }));
  if (existsSync(HTTP_PROXY_MODULE)) contestants.push(await startHttpProxy(processes, ports[4], backendPort));
  const fiberlb = await startFiberlb({ backendPort, ...(certificate === undefined ? {} : { certificate }) });
  const served = { http: HTTP_PORT, https: certificate === undefined ? undefined : HTTPS_PORT };
  contestants.push({ name: "FiberLB", pid: fiberlb.node.pid, address: fiberlb.vip, ports: served });
  return { contestants, fiberlb, haproxyConfig: config };
}

async function startBackend(processes: Processes, port: number): Promise<void> {
  processes.file("64k", new Uint8Array(LARGE_BYTES).fill(0x61));
  const file = processes.file("nginx-backend.conf", nginxBackendConfig(port));
  processes.start(LOAD_CORE, ["nginx", "-p", processes.folder, "-c", file]);
  await untilListening(port);
}

async function startPeer(
  processes: Processes,
  name: Peer,
  { httpPort, httpsPort, certificateFile, command }: PeerOptions & { readonly command: readonly string[] },
): Promise<Contestant> {
  const { pid = 0 } = processes.start(BALANCER_CORE, command);
  await untilListening(httpPort);
  const https = certificateFile === undefined ? undefined : httpsPort;
  return { name, pid, address: "127.0.0.1", ports: { http: httpPort, https } };
}

async function startHttpProxy(processes: Processes, port: number, backendPort: number): Promise<Contestant> {
  const script = new URL("http-proxy-process.ts", import.meta.url).pathname;
  const command = [process.execPath, "--no-warnings", script, HTTP_PROXY_MODULE, String(port), String(backendPort)];
  const { pid = 0 } = processes.start(BALANCER_CORE, command);
  await untilListening(port);
  return { name: "http-proxy", pid, address: "127.0.0.1", ports: { http: port, https: undefined } };
}
