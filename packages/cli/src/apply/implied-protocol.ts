import { isRecord } from "../fields/check-keys.ts";
import type { Fields } from "./file-fields.ts";

/** What the pool of a listener speaks when nobody says. */
const POOL_PROTOCOLS: Readonly<Record<string, string>> = {
  TCP: "TCP",
  TLS: "TCP",
  UDP: "UDP",
  HTTP: "HTTP",
  HTTPS: "HTTP",
};

/**
 * The file's content with a `protocol` for each pool that has none and whose listeners leave no doubt: a pool that an HTTP
 * listener sends to speaks HTTP. Pools of listeners that differ, and of none, keep the default.
 */
export function withImpliedProtocols(file: Fields): Fields {
  const { loadBalancers } = file;
  if (!Array.isArray(loadBalancers)) return file;
  return { ...file, loadBalancers: loadBalancers.map((one: unknown) => (isRecord(one) ? completed(one) : one)) };
}

function completed(loadBalancer: Fields): Fields {
  const { pools } = loadBalancer;
  if (!Array.isArray(pools)) return loadBalancer;
  const listeners = records(loadBalancer["listeners"]);
  const withProtocol = (pool: unknown): unknown => {
    if (!isRecord(pool) || (pool["protocol"] ?? undefined) !== undefined) return pool;
    const users = listeners.filter((listener) => poolNames(listener).includes(pool["name"]));
    const implied = new Set(users.map(({ protocol }) => POOL_PROTOCOLS[shortName(protocol)]));
    const [only] = implied;
    return implied.size === 1 && only !== undefined ? { ...pool, protocol: only } : pool;
  };
  return { ...loadBalancer, pools: pools.map(withProtocol) };
}

/** Pools that a listener or one of its policies sends to. */
function poolNames(listener: Fields): readonly unknown[] {
  const policies = records(listener["policies"]);
  const weighted = policies.flatMap(({ pools }) => records(pools).map(({ pool }) => pool));
  return [listener["defaultPool"], ...policies.map(({ pool }) => pool), ...weighted];
}

const records = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value.filter(isRecord) : []);

const shortName = (protocol: unknown): string => String(protocol).replace(/^LISTENER_PROTOCOL_/, "");
