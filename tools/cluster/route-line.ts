/** What the kernel said of one route: which next hops it has now, or which it lost. */
export interface RouteChange {
  /** Since 1970, of the machine's clock. */
  readonly atMs: number;
  /** Without the length of the prefix when it is a host route, as `ip` prints it. */
  readonly prefix: string;
  readonly kind: "set" | "deleted";
  readonly nextHops: readonly string[];
}

const LINE = /^\[(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{6})\]\s*(Deleted )?([0-9a-f.:]+(?:\/\d+)?)\s(.*)$/;

/** Reads a line of `TZ=UTC ip -o -ts monitor route`; undefined when it is of a route without next hops. */
export function parseRouteLine(line: string): RouteChange | undefined {
  const match = LINE.exec(line);
  if (match === null) return undefined;
  const [, second, micros, deleted, prefix, rest] = match as unknown as readonly string[];
  const nextHops = [...rest!.matchAll(/\bvia (?:inet6? )?([0-9a-f.:]+)/g)].map((via) => via[1]!);
  if (nextHops.length === 0) return undefined;
  const atMs = Date.parse(`${second}Z`) + Number(micros) / 1000;
  return { atMs, prefix: prefix!, kind: deleted === undefined ? "set" : "deleted", nextHops };
}

/** The next hops of a prefix after a change. */
export function nextHopsAfter(before: ReadonlySet<string>, { kind, nextHops }: RouteChange): ReadonlySet<string> {
  return kind === "set" ? new Set(nextHops) : new Set([...before].filter((one) => !nextHops.includes(one)));
}
