import type { DirectReturnBackend, DirectReturnFacts, DoctorFacts } from "./facts.ts";
import { type Finding, ok, skipped, warning } from "./finding.ts";

/** What pools with `forwarding: DSR` need of the links that their backends are on. */
export function checkDirectReturn({ directReturn }: DoctorFacts): Finding[] {
  if (directReturn === undefined || directReturn.backends.length === 0)
    return [skipped("DSR backends", "no pool with forwarding DSR is in the kernel, as far as can be seen")];
  return [checkSegment(directReturn), checkNeighbours(directReturn), checkClaims(directReturn)];
}

const list = (backends: readonly DirectReturnBackend[]): string => backends.map(({ address }) => address).join(", ");

function checkSegment({ backends }: DirectReturnFacts): Finding {
  const check = "DSR links";
  const away = backends.filter((backend) => backend.interface === undefined);
  const interfaces = [...new Set(backends.flatMap((backend) => backend.interface ?? []))];
  if (away.length === 0) return ok(check, `${backends.length} backends, on ${interfaces.join(", ")}`);
  return warning(
    check,
    `${list(away)}: in no subnet of this host, so link addresses don't reach there`,
    "give this host an address in the backends' subnet, on their layer-2 segment; or forwarding: NAT_MASQUERADE",
  );
}

function checkNeighbours({ backends }: DirectReturnFacts): Finding {
  const check = "DSR backends";
  const silent = backends.filter(({ neighbour }) => neighbour === "unreachable");
  if (silent.length > 0)
    return warning(
      check,
      `nobody answers for ${list(silent)} on the link: they get no flows`,
      "see that the hosts are up and on the same layer-2 segment (VLAN), and that nothing between filters ARP: ip neigh show",
    );
  const unasked = backends.filter(({ neighbour }) => neighbour === "absent" || neighbour === "unknown");
  if (unasked.length === 0) return ok(check, "all have a link address");
  return warning(
    check,
    `the link address of ${list(unasked)} is not known so far`,
    "a running node asks for it every 2 s; if this stays: ip neigh show, and tcpdump arp on the link",
  );
}

/** The most frequent mistake: a backend that has the VIP on lo answers for it on the link. */
function checkClaims({ claimed }: DirectReturnFacts): Finding {
  const check = "DSR VIPs";
  if (claimed === undefined) return skipped(check, "who answers ARP for VIPs cannot be asked: needs arping, and root");
  if (claimed.length === 0) return ok(check, "no backend answers ARP for a VIP");
  const hits = claimed.map(({ vip, interface: device, by }) => `${by} answers for ${vip} on ${device}`);
  return warning(
    check,
    `${hits.join(", ")}: the router may send it clients past the balancers`,
    "on each backend, before the VIP is put on lo: sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2",
  );
}
