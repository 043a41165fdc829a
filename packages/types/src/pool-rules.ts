import type { PoolSpec } from "./pool-spec.ts";
import { isPrime, nearestPrimes } from "./primes.ts";
import type { Report, Rules } from "./resource.ts";

type Spec = Partial<PoolSpec>;

const speaksHttp = ({ protocol }: Spec): boolean =>
  protocol === undefined || protocol === "HTTP" || protocol === "HTTPS" || protocol === "H2C";

/** Rules between the fields of a pool. */
export const poolRules: Rules<PoolSpec> = (spec, report) => {
  checkPersistence(spec, report);
  checkMaglev(spec, report);
  checkForwarding(spec, report);
  if (spec.backendTls !== undefined && spec.protocol !== undefined && spec.protocol !== "HTTPS") {
    report("backendTls", `can only be used with protocol HTTPS, not with ${spec.protocol}`);
  }
  if (spec.protocol === "UDP" && spec.sendProxyProtocol === "V1") {
    report("sendProxyProtocol", "must be NONE or V2 with protocol UDP: version 1 is for connections only");
  }
};

function checkPersistence(spec: Spec, report: Report): void {
  const persistence = spec.sessionPersistence;
  if (persistence === undefined) return;
  const { type, cookieName } = persistence;
  if (type === "APP_COOKIE" && cookieName === undefined) {
    report(
      "sessionPersistence.cookieName",
      "is required with APP_COOKIE: the name of the backend's cookie",
      "REQUIRED",
    );
  }
  if (type === "SOURCE_IP" && cookieName !== undefined) {
    report("sessionPersistence.cookieName", "can only be used with LB_COOKIE or APP_COOKIE, not with SOURCE_IP");
  }
  if (type !== "SOURCE_IP" && !speaksHttp(spec)) {
    report("sessionPersistence.type", `must be SOURCE_IP with protocol ${spec.protocol}, not ${type}`);
  }
}

function checkMaglev(spec: Spec, report: Report): void {
  if (spec.maglev === undefined) return;
  const { tableSize, hashKey, hashKeyName } = spec.maglev;
  if (tableSize !== 0 && !isPrime(tableSize)) {
    const primes = nearestPrimes(tableSize).join(" and ");
    report("maglev.tableSize", `must be a prime or 0, not ${tableSize}; the nearest are ${primes}`, "NOT_ALLOWED");
  }
  const byName = hashKey === "HEADER" || hashKey === "COOKIE";
  if (byName && !speaksHttp(spec)) {
    report("maglev.hashKey", `must be FIVE_TUPLE or SOURCE_IP with protocol ${spec.protocol}, not ${hashKey}`);
  }
  if (byName && hashKeyName === undefined) {
    report(
      "maglev.hashKeyName",
      `is required with hash_key ${hashKey}: the name of the ${hashKey.toLowerCase()}`,
      "REQUIRED",
    );
  }
  if (!byName && hashKeyName !== undefined) {
    report("maglev.hashKeyName", `can only be used with hash_key HEADER or COOKIE, not with ${hashKey}`);
  }
}

function checkForwarding(spec: Spec, report: Report): void {
  const { forwarding, protocol, sendProxyProtocol } = spec;
  if (forwarding === undefined || forwarding === "NAT_MASQUERADE") return;
  if (protocol !== undefined && protocol !== "TCP" && protocol !== "UDP") {
    report(
      "forwarding",
      `must be NAT_MASQUERADE with protocol ${protocol}: ${forwarding} forwards packets in the kernel`,
    );
  }
  if (sendProxyProtocol !== undefined && sendProxyProtocol !== "NONE") {
    report("sendProxyProtocol", `must be NONE with forwarding ${forwarding}, which keeps the client's address`);
  }
}
