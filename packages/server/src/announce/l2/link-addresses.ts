/**
 * Puts addresses on interfaces, and takes them away, with iproute2's `ip`: one process for all addresses of a device.
 */
import { spawn } from "node:child_process";

import { batchFailures, keepCommand, type LinkAddress, parseAddresses, removeCommand } from "./ip-batch.ts";

/** By address, why it could not be done. */
export type Failures = ReadonlyMap<string, string>;

/** Addresses of this host's interfaces. */
export interface LinkAddresses {
  /** Puts these on the device, or renews them: the kernel takes them away `seconds` from now by itself. */
  keep(device: string, addresses: readonly string[], seconds: number): Promise<Failures>;
  /** Takes these away; one that is not there is no failure. */
  remove(device: string, addresses: readonly string[]): Promise<Failures>;
  /** All addresses of all interfaces. @throws Error when `ip` can't be run. */
  list(): Promise<readonly LinkAddress[]>;
}

/** What a run of `ip` printed; rejects only when it could not be run, or hung. */
export type RunIp = (args: readonly string[], input: string) => Promise<{ stdout: string; stderr: string }>;

const ABSENT = /Cannot assign requested address|Address not found|Cannot find device|No such device/u;
const TIMEOUT_MS = 5000;

/** @param runIp tests, and nodes in namespaces of their own, pass another one */
export function createLinkAddresses(runIp: RunIp = runRealIp): LinkAddresses {
  const batch = async (addresses: readonly string[], command: (address: string) => string): Promise<Failures> => {
    try {
      const { stderr } = await runIp(["-force", "-batch", "-"], `${addresses.map(command).join("\n")}\n`);
      const failures = batchFailures(stderr);
      return new Map([...failures].map(([at, why]) => [addresses[at] ?? "", explain(why)]));
    } catch (error) {
      return new Map(addresses.map((address) => [address, explain((error as Error).message)]));
    }
  };
  return {
    keep: (device, addresses, seconds) => batch(addresses, (address) => keepCommand(device, address, seconds)),
    async remove(device, addresses) {
      const failures = await batch(addresses, (address) => removeCommand(device, address));
      return new Map([...failures].filter(([, why]) => !ABSENT.test(why)));
    },
    async list() {
      const { stdout, stderr } = await runIp(["-json", "addr", "show"], "");
      if (stdout === "" && stderr !== "") throw new Error(explain(stderr.trim()));
      return parseAddresses(stdout);
    },
  };
}

function explain(message: string): string {
  if (/operation not permitted|EPERM|EACCES/iu.test(message)) return `${message}: needs CAP_NET_ADMIN`;
  if (/ENOENT/u.test(message)) return 'the "ip" command is missing: install iproute2';
  return message;
}

function runRealIp(args: readonly string[], input: string): Promise<{ stdout: string; stderr: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ stdout: string; stderr: string }>();
  const ip = spawn("ip", args, { stdio: ["pipe", "pipe", "pipe"], timeout: TIMEOUT_MS });
  let stdout = "";
  let stderr = "";
  ip.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  ip.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  ip.on("error", reject);
  ip.on("close", (_code, signal) => {
    if (signal === null) resolve({ stdout, stderr });
    else reject(new Error(`ip ${args.join(" ")} did not end within ${TIMEOUT_MS} ms`));
  });
  // It may have ended before it has read everything; its exit tells.
  ip.stdin.on("error", () => undefined);
  ip.stdin.end(input);
  return promise;
}
