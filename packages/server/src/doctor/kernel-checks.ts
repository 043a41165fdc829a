import type { Config } from "../config/config.ts";
import type { DoctorFacts } from "./facts.ts";
import { failed, type Finding, grouped, ok, skipped, warning } from "./finding.ts";

/** From here on new connections may soon be dropped. */
const CONNTRACK_FULL = 0.8;
/** A table that a busy node fills in no time. */
const SMALL_CONNTRACK = 262_144;

/** What forwarding in the kernel needs. */
export function checkKernel(facts: DoctorFacts, config: Config): Finding[] {
  const checks = [checkNft, checkForwarding, checkConntrack, checkReversePath];
  if (config.dataPlane.l4 === "userspace")
    return [
      skipped("kernel forwarding", "dataPlane.l4 is userspace: nft, ip_forward, conntrack and rp_filter not needed"),
    ];
  return checks.map((check) => check(facts, { blames: config.dataPlane.l4 === "nftables" ? failed : warning }));
}

/** Without the kernel listeners are served in user space, unless that is ruled out. */
interface Severity {
  readonly blames: typeof failed;
}

function checkNft({ programs, capabilities }: DoctorFacts, { blames }: Severity): Finding {
  const check = "nftables";
  const otherwise = "or set dataPlane.l4: userspace";
  if (programs.nft === undefined) return blames(check, "nft is not installed", `install nftables, ${otherwise}`);
  if (capabilities?.netAdmin === false)
    return blames(check, `${programs.nft}, but no CAP_NET_ADMIN`, `AmbientCapabilities=CAP_NET_ADMIN, ${otherwise}`);
  if (!programs.conntrack)
    return warning(
      check,
      `${programs.nft}; conntrack is not installed, so connections of a lost backend end by themselves only`,
      "install the package conntrack",
    );
  return ok(check, programs.nft);
}

function checkForwarding({ sysctls }: DoctorFacts, { blames }: Severity): Finding {
  const check = "ip_forward";
  const v4 = sysctls["net.ipv4.ip_forward"];
  const v6 = sysctls["net.ipv6.conf.all.forwarding"];
  if (v4 === undefined) return skipped(check, "this system does not tell");
  if (v4 === "0")
    return blames(
      check,
      "net.ipv4.ip_forward is 0: the kernel forwards nothing, listeners are served in user space",
      "sysctl -w net.ipv4.ip_forward=1 (FiberLB keeps this host from routing for others: dataPlane.routeOthers)",
    );
  if (v6 === "0") return ok(check, "on for IPv4; for IPv6 net.ipv6.conf.all.forwarding is 0");
  return ok(check, "on");
}

function checkConntrack({ conntrack }: DoctorFacts): Finding {
  const check = "nf_conntrack_max";
  if (conntrack === undefined) return skipped(check, "the kernel follows no connections so far");
  const { count, max } = conntrack;
  const found = `${grouped(count)} of ${grouped(max)} in use`;
  const fix = "sysctl -w net.netfilter.nf_conntrack_max=1048576 (about 300 bytes of kernel memory for each in use)";
  if (count >= max * CONNTRACK_FULL) return failed(check, `${found}: new connections are about to be dropped`, fix);
  if (max < SMALL_CONNTRACK) return warning(check, `${found}; each connection that the kernel forwards takes one`, fix);
  return ok(check, found);
}

/** The stricter of `all` and the interface's own counts (ip-sysctl, rp_filter). */
function checkReversePath({ reversePathFilters }: DoctorFacts): Finding {
  const check = "rp_filter";
  const all = reversePathFilters["all"];
  if (all === undefined) return skipped(check, "this system does not tell");
  const strict = Object.entries(reversePathFilters)
    .filter(([name, value]) => name !== "all" && name !== "default" && name !== "lo" && Math.max(value, all) === 1)
    .map(([name]) => name);
  if (strict.length === 0) return ok(check, "loose or off");
  return warning(
    check,
    `strict on ${strict.join(", ")}: packets that come in there and would leave elsewhere vanish`,
    `sysctl -w ${strict.map((name) => `net.ipv4.conf.${name}.rp_filter=2`).join(" ")}, where ways in and out differ`,
  );
}
