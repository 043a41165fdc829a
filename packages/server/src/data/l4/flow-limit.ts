/** What a host lets one process have; undefined = not known. */
export interface HostLimits {
  /** File descriptors of this process. */
  readonly openFiles: number | undefined;
  /** Local ports that outgoing sockets get theirs from. */
  readonly localPorts: number | undefined;
}

/** The share of either that flows may take: the rest is for connections, for other programs and the resolver. */
const OPEN_FILES_SHARE = 0.5;
const LOCAL_PORTS_SHARE = 0.75;
/** What holds of hosts that say nothing: the usual limits of a service. */
const DEFAULT_OPEN_FILES = 1024;
const DEFAULT_LOCAL_PORTS = 28_232;

/**
 * How many flows of datagrams a node keeps at once. Each takes a file descriptor and a local port, and anybody can open
 * flows with forged addresses: they must not take from connections what those need.
 */
export function flowLimit({ openFiles, localPorts }: HostLimits): number {
  const byFiles = (openFiles ?? DEFAULT_OPEN_FILES) * OPEN_FILES_SHARE;
  const byPorts = (localPorts ?? DEFAULT_LOCAL_PORTS) * LOCAL_PORTS_SHARE;
  return Math.max(1, Math.floor(Math.min(byFiles, byPorts)));
}
