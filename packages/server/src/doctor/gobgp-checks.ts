import type { Config } from "../config/config.ts";
import type { DoctorFacts } from "./facts.ts";
import { failed, type Finding, ok, skipped, warning } from "./finding.ts";

const CHECK = "GoBGP";

/** Whether VIPs can be announced by BGP. */
export function checkGobgp({ gobgp }: DoctorFacts, { bgp }: Config): Finding[] {
  if (bgp === undefined || gobgp === undefined)
    return [skipped(CHECK, "no section bgp: VIPs are not announced; route them to this host")];
  const { address, generation, asn, problem } = gobgp;
  if (generation === undefined)
    return [failed(CHECK, `${address}: ${problem}`, `start gobgpd with --api-hosts=${address}, or set bgp.gobgp`)];
  const found = `GoBGP ${generation}.x at ${address}`;
  if (bgp.manage && asn !== undefined && asn !== 0 && asn !== bgp.asn)
    return [
      failed(
        CHECK,
        `${found} is of AS ${asn}, bgp.asn is ${bgp.asn}`,
        "start gobgpd without a configuration of its own, set bgp.asn, or bgp.manage: false",
      ),
    ];
  if (!bgp.manage && (asn === undefined || asn === 0))
    return [failed(CHECK, `${found} is of no AS so far`, "configure gobgpd, or set bgp.manage: true")];
  if (generation === 3 && bgp.peers.some((peer) => peer.bfd !== undefined))
    return [
      warning(CHECK, `${found} has no BFD: dead paths are noticed by the hold time`, "install GoBGP 4.5 or newer"),
    ];
  return [ok(CHECK, found)];
}
