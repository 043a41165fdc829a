import type { Config } from "../config/config.ts";
import type { DoctorFacts } from "./facts.ts";
import { failed, type Finding, ok, skipped, warning } from "./finding.ts";
import { type LinkPool, linkPools } from "./link-pools.ts";
import { overlaps } from "./network-checks.ts";

/** What VIPs on a link (`announce.kind: l2`) need. */
export function checkLinks(facts: DoctorFacts, config: Config): Finding[] {
  const pools = linkPools(config);
  if (pools.length === 0) return [skipped("VIPs by l2", "no VIP pool has announce.kind: l2")];
  const devices = [...new Set(pools.map(({ device }) => device))];
  return [
    ...devices.map((device) => checkDevice(facts, device)),
    ...pools.map((pool) => checkReach(facts, pool)),
    checkRights(facts),
    ...checkNonlocalBind(facts, pools),
    checkNotices(facts, pools),
  ];
}

function checkDevice({ links }: DoctorFacts, device: string): Finding {
  const reason = links[device] ?? "";
  if (reason === "") return ok(`interface ${device}`, "up, and has an Ethernet address");
  return failed(`interface ${device}`, reason, "name one of this host in vipPools[].announce.interface, and set it up");
}

/** Neighbours ask for an address of their own network only. */
function checkReach({ networks }: DoctorFacts, { name, cidrs, device }: LinkPool): Finding {
  const check = `pool ${name} on ${device}`;
  const own = networks.filter((network) => network.interface === device);
  const outside = cidrs.filter((range) => !own.some(({ cidr }) => overlaps(range, cidr)));
  if (outside.length === 0) return ok(check, "its VIPs are in the interface's network");
  return warning(
    check,
    `${outside.join(", ")} is in no network of ${device}: neighbours do not ask for such a VIP`,
    `take VIPs from a network of ${device}, or give the router there a route to that network on its link`,
  );
}

function checkRights({ capabilities, programs }: DoctorFacts): Finding {
  const check = "addresses on the link";
  if (programs.ip === undefined)
    return failed(check, "need the program ip, which is not installed", "install iproute2");
  if (capabilities === undefined) return skipped(check, "this system does not tell rights");
  if (capabilities.netAdmin) return ok(check, `CAP_NET_ADMIN, ${programs.ip}`);
  return failed(check, "need CAP_NET_ADMIN", "AmbientCapabilities=CAP_NET_ADMIN in the unit file");
}

function checkNonlocalBind({ sysctls, capabilities }: DoctorFacts, pools: readonly LinkPool[]): Finding[] {
  const isV6 = (range: string): boolean => range.includes(":");
  const ranges = pools.flatMap(({ cidrs }) => cidrs);
  const names = [
    ...(ranges.some((range) => !isV6(range)) ? (["net.ipv4.ip_nonlocal_bind"] as const) : []),
    ...(ranges.some(isV6) ? (["net.ipv6.ip_nonlocal_bind"] as const) : []),
  ];
  return names.map((name) => {
    if (sysctls[name] === "1") return ok(name, "1");
    const fix = `sysctl -w ${name}=1, and in /etc/sysctl.d`;
    if (capabilities?.netAdmin === true)
      return warning(name, "0: the node sets it to 1 when it starts, where /proc/sys may be written", fix);
    return failed(name, "0: no listener can wait on a VIP that another node has", fix);
  });
}

function checkNotices({ packetSocket, programs }: DoctorFacts, pools: readonly LinkPool[]): Finding {
  const check = "gratuitous ARP";
  if (packetSocket === "") return ok(check, "and neighbour advertisements: by a packet socket");
  const fix = "AmbientCapabilities=CAP_NET_RAW in the unit file, and no RestrictAddressFamilies without AF_PACKET";
  const hasV6 = pools.some(({ cidrs }) => cidrs.some((range) => range.includes(":")));
  if (programs.arping && !hasV6) return warning(check, `${packetSocket}: sent by the program arping`, fix);
  return warning(check, `${packetSocket}: neighbours learn of a takeover only when what they remember grows old`, fix);
}
