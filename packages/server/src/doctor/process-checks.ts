import type { Config } from "../config/config.ts";
import type { DoctorFacts, PortFact } from "./facts.ts";
import { failed, type Finding, grouped, ok, skipped, warning } from "./finding.ts";

/** Less than this serves some 10,000 connections; production wants far more. */
const FEW_OPEN_FILES = 65_536;
const FIRST_PRIVILEGED = 1024;

/** Ports, limits and rights of the process. */
export function checkProcess(facts: DoctorFacts, config: Config): Finding[] {
  return [
    checkPort("API port", { facts, listen: config.api.listen, port: facts.ports.api, key: "api.listen" }),
    checkPort("admin port", { facts, listen: config.admin.listen, port: facts.ports.admin, key: "admin.listen" }),
    checkOpenFiles(facts),
    checkLowPorts(facts),
    checkAddressBinding(facts, config),
  ];
}

function checkPort(
  check: string,
  {
    facts,
    listen,
    port,
    key,
  }: { readonly facts: DoctorFacts; readonly listen: string; readonly port: PortFact; readonly key: string },
): Finding {
  switch (port) {
    case "free":
      return ok(check, `${listen} is free`);
    case "EADDRINUSE":
      if (facts.nodeRuns) return ok(check, `${listen} is in use; a node runs with this store`);
      return failed(
        check,
        `${listen} is in use by another program`,
        `stop its owner (ss -ltnp names it) or set ${key}`,
      );
    case "EADDRNOTAVAIL":
      return failed(check, `${listen} is no address of this host`, `set ${key} to an address of its own`);
    case "EACCES":
      return failed(check, `${listen} needs a privilege`, `grant CAP_NET_BIND_SERVICE, or set ${key} to a higher port`);
    default:
      return failed(check, `${listen} cannot be opened: ${port}`, `set ${key} to an address and port that can`);
  }
}

function checkOpenFiles({ openFiles }: DoctorFacts): Finding {
  const check = "open files";
  if (openFiles === undefined) return skipped(check, "this system does not tell");
  const room = `${grouped(openFiles)}: about ${grouped(Math.floor(openFiles / 2))} connections`;
  if (openFiles >= FEW_OPEN_FILES) return ok(check, openFiles === Number.MAX_SAFE_INTEGER ? "no limit" : room);
  return warning(check, room, "LimitNOFILE=1048576 in the unit file, or ulimit -Hn 1048576");
}

function checkLowPorts({ capabilities, unprivilegedPortStart = FIRST_PRIVILEGED }: DoctorFacts): Finding {
  const check = "ports below 1024";
  if (capabilities === undefined) return skipped(check, "this system does not tell");
  if (capabilities.netBindService) return ok(check, "CAP_NET_BIND_SERVICE");
  const found = `listeners need a port from ${unprivilegedPortStart} on: no CAP_NET_BIND_SERVICE`;
  if (unprivilegedPortStart <= 80) return ok(check, `free from ${unprivilegedPortStart} on`);
  return warning(check, found, "AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit file");
}

function checkAddressBinding({ capabilities, programs }: DoctorFacts, { dataPlane: { bind } }: Config): Finding {
  const check = "address binding";
  if (bind === "existing") return ok(check, "existing: VIPs are put on this host by you");
  const instead = "or put the VIPs on this host yourself and set dataPlane.bind: existing";
  if (programs.ip === undefined)
    return failed(check, `${bind} needs the program ip, which is not installed`, `install iproute2, ${instead}`);
  if (capabilities === undefined) return skipped(check, "this system does not tell rights");
  if (capabilities.netAdmin) return ok(check, `${bind}: CAP_NET_ADMIN, ${programs.ip}`);
  const fix = `AmbientCapabilities=CAP_NET_ADMIN in the unit file, ${instead}`;
  return warning(check, `${bind} needs CAP_NET_ADMIN; without it only VIPs in 127.0.0.0/8 work`, fix);
}
