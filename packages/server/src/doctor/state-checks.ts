import type { DoctorFacts, EtcdFact } from "./facts.ts";
import { failed, type Finding, grouped, ok, skipped, warning } from "./finding.ts";

const MIB = 2 ** 20;
const LITTLE_SPACE_BYTES = 256 * MIB;
/** Nobody had this program earlier. */
const FIRST_RELEASE_MS = Date.UTC(2026, 0, 1);
/** A clock that was set back by less is an ordinary correction. */
const TOLERANCE_MS = 300_000;

/** Store, key and clock. */
export const checkState = (facts: DoctorFacts): Finding[] => [checkStore(facts), checkKey(facts), checkClock(facts)];

function checkStore({ store, etcd }: DoctorFacts): Finding {
  const check = "store";
  if (etcd !== undefined) return checkEtcd(check, etcd);
  if (store === undefined) return skipped(check, "in memory: everything is forgotten at exit");
  const { path, folder, isWritable, freeBytes } = store;
  if (!isWritable)
    return failed(
      check,
      `${path}: ${folder} cannot be written to`,
      `chown ${folder} to the user of fiberlb, or set store.path`,
    );
  const found = `${path}, ${grouped(Math.floor(freeBytes / MIB))} MiB free`;
  if (freeBytes < LITTLE_SPACE_BYTES)
    return warning(check, found, "free some: changes are refused when there is none; traffic goes on");
  return ok(check, found);
}

function checkEtcd(check: string, { endpoints, problem }: EtcdFact): Finding {
  if (problem === undefined) return ok(check, `etcd at ${endpoints.join(", ")}`);
  return failed(check, problem, "start etcd, or correct store.endpoints, store.tls, store.username and store.prefix");
}

function checkKey({ keyFile, etcd }: DoctorFacts): Finding {
  const check = "key file";
  if (keyFile === undefined && etcd !== undefined)
    return failed(check, "there is none at secrets.keyFile", "copy it from another node: all have the same");
  if (keyFile === undefined) return skipped(check, "none so far; it is made at the first start");
  const { path, mode } = keyFile;
  const others = mode & 0o077;
  if (others === 0) return ok(check, path);
  return failed(
    check,
    `${path} can be read by others (mode ${mode.toString(8).padStart(4, "0")})`,
    `chmod 600 ${path}`,
  );
}

function checkClock({ epochMs, store }: DoctorFacts): Finding {
  const check = "clock";
  const now = new Date(epochMs).toISOString().replace(/\.\d+Z$/u, "Z");
  const fix = "set it: timedatectl set-ntp true, or chrony";
  if (epochMs < FIRST_RELEASE_MS)
    return failed(check, `${now} is in the past: certificates would not be valid yet`, fix);
  const written = store?.modifiedAtMs;
  if (written !== undefined && written > epochMs + TOLERANCE_MS)
    return failed(check, `${now}, but the store was written at ${new Date(written).toISOString()}, later`, fix);
  return ok(check, now);
}
