import type { ListenerUnit, Problem, Unit } from "../snapshot/snapshot.ts";

/** Ports below this need a privilege, unless the system says otherwise. */
const FIRST_FREE_PORT = 1024;

/** Why a listener is not open anywhere, and what to do about it. @param code the system's error name. */
export function bindProblem(unit: Unit, listener: ListenerUnit, code: string): Problem {
  const { loadBalancerId, vip } = unit;
  const reason = `Cannot bind listener ${unit.name}/${listener.name}: ${explain(vip, listener, code)}`;
  return { loadBalancerId, listenerId: listener.id, reason, isClosed: true };
}

/** Why a listener that is open does not serve as it should. @param problem in a worker's words. */
export function servingProblem({ loadBalancerId, name }: Unit, listener: ListenerUnit, problem: string): Problem {
  return {
    loadBalancerId,
    listenerId: listener.id,
    reason: `Cannot serve listener ${name}/${listener.name}: ${problem}`,
  };
}

function explain(vip: string, { protocol, port }: ListenerUnit, code: string): string {
  const endpoint = vip.includes(":") ? `[${vip}]:${port}` : `${vip}:${port}`;
  switch (code) {
    case "EADDRINUSE":
      return `${endpoint} is in use; stop what listens there (ss ${protocol === "UDP" ? "-lunp" : "-ltnp"} "sport = :${port}" names it) or change the port`;
    case "EADDRNOTAVAIL":
      return (
        `${vip} is no address of this host; set dataPlane.bind to "assign" (or "anyip"), ` +
        `or add it: ip address add ${vip}/${vip.includes(":") ? 128 : 32} dev lo`
      );
    case "EACCES":
      return port < FIRST_FREE_PORT
        ? `no permission for port ${port}; run with CAP_NET_BIND_SERVICE, or lower net.ipv4.ip_unprivileged_port_start`
        : `no permission for ${endpoint}; a security policy of this host (SELinux, AppArmor) forbids it`;
    case "EMFILE":
    case "ENFILE":
      return `${endpoint} can't be opened, too many open files (${code}); raise LimitNOFILE`;
    case "EAFNOSUPPORT":
      return `${endpoint} can't be opened, this host has no IPv${vip.includes(":") ? 6 : 4}; enable it or change the VIP`;
    default:
      return `${endpoint} can't be opened (${code}); see the system's log`;
  }
}
