import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { dirname } from "node:path";
import { promisify } from "node:util";

import type { Log } from "../log.ts";
import { type BindMode, ipArguments, planBinding } from "./binding.ts";

/** Makes VIPs local addresses of this host. */
export interface VipBinder {
  /** Makes exactly these local; answers why for each that could not be made so. One call at a time runs. */
  apply(desired: ReadonlySet<string>): Promise<ReadonlyMap<string, string>>;
}

/** What a binder needs of the host. */
export interface VipBinderOptions {
  readonly mode: BindMode;
  readonly log: Log;
  /** Remembers what was added, so that a process after a crash gives it back; absent: not remembered. */
  readonly stateFile?: string;
  /** Runs `ip`; rejects with what it printed. Default: the real one. */
  readonly runIp?: (args: readonly string[]) => Promise<void>;
  /** Addresses of the host. Default: the real ones. */
  readonly localAddresses?: () => ReadonlySet<string>;
}

/** A binder over iproute2's `ip`. */
export function createVipBinder({
  mode,
  log,
  stateFile,
  runIp = runRealIp,
  localAddresses = realLocalAddresses,
}: VipBinderOptions): VipBinder {
  const ours = new Set(stateFile === undefined ? [] : readState(stateFile, log));
  const failed = new Map<string, string>();
  let last: Promise<unknown> = Promise.resolve();

  const change = async (verb: "add" | "del", address: string): Promise<void> => {
    try {
      await runIp(ipArguments(verb, address, mode === "anyip" ? "anyip" : "assign"));
      if (verb === "add") ours.add(address);
      else ours.delete(address);
      failed.delete(address);
      log.info(verb === "add" ? "VIP added to lo" : "VIP removed from lo", { vip: address });
    } catch (error) {
      const reason = explain(verb, address, (error as Error).message);
      if (verb === "add") failed.set(address, reason);
      // An address that somebody else has removed is gone, which is what was wanted.
      else ours.delete(address);
      log.warn(reason, { vip: address });
    }
  };

  const run = async (desired: ReadonlySet<string>): Promise<ReadonlyMap<string, string>> => {
    for (const address of failed.keys()) if (!desired.has(address)) failed.delete(address);
    const plan = planBinding({ mode, desired, local: localAddresses(), ours });
    for (const address of plan.remove) await change("del", address);
    for (const address of plan.add) await change("add", address);
    if (stateFile !== undefined && plan.add.length + plan.remove.length > 0) remember(stateFile, ours, log);
    return new Map(failed);
  };

  return {
    apply(desired) {
      const next = last.then(() => run(desired));
      last = next.catch(() => undefined);
      return next;
    },
  };
}

function explain(verb: "add" | "del", address: string, message: string): string {
  if (/operation not permitted|EPERM|EACCES/i.test(message))
    return `cannot ${verb === "add" ? "add" : "remove"} VIP ${address} ${verb === "add" ? "to" : "from"} lo: needs CAP_NET_ADMIN, or dataPlane.bind: existing`;
  if (/ENOENT/.test(message))
    return `cannot add VIP ${address} to lo: the "ip" command is missing; install iproute2, or add the address yourself and set dataPlane.bind: existing`;
  return `cannot ${verb === "add" ? "add" : "remove"} VIP ${address}: ${message.trim().replaceAll("\n", "; ")}`;
}

const execFileAsync = promisify(execFile);

async function runRealIp(args: readonly string[]): Promise<void> {
  try {
    await execFileAsync("ip", [...args], { timeout: 10_000 });
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    throw new Error(stderr !== undefined && stderr !== "" ? stderr : message, { cause: error });
  }
}

function realLocalAddresses(): ReadonlySet<string> {
  return new Set(Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((entry) => entry.address)));
}

function readState(file: string, log: Log): readonly string[] {
  try {
    return (JSON.parse(readFileSync(file, "utf8")) as { vips: string[] }).vips;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT")
      log.warn("cannot read which VIPs an earlier process added; they stay on lo", { file, error });
    return [];
  }
}

/** A full disk must not keep VIPs from being bound: forgetting one after a crash is the lesser harm. */
function remember(file: string, ours: ReadonlySet<string>, log: Log): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(`${file}.new`, JSON.stringify({ vips: [...ours] }), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  } catch (error) {
    log.warn("cannot write down which VIPs were added to lo; after a crash they would stay there", { file, error });
  }
}
