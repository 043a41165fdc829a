/**
 * What conntrack's list of connections says about ours. Pure.
 */
import { endpointKey } from "./family.ts";
import { flowKey } from "./flows.ts";

/** Connections of one moment. */
export interface Census {
  /** How many are open, by the key of their flow group, and by that of their endpoint. */
  readonly open: ReadonlyMap<string, number>;
  /** How many entries there are in each state: that of TCP, in small letters; of UDP `unreplied`, `replied`, `assured`. */
  readonly states: ReadonlyMap<string, number>;
}

/** Nobody was counted. */
export const EMPTY_CENSUS: Census = { open: new Map(), states: new Map() };

/** States of TCP connections that have ended: what is left of them keeps late packets out. */
const ENDED: ReadonlySet<string> = new Set(["TIME_WAIT", "CLOSE"]);

/** Protocol, state of TCP, what the client sent to, whether it was answered, who answers, what became of it. */
const ENTRY =
  /^(tcp|udp)\s+\d+ (?:\d+ )?(?:([A-Z]\w+) )?src=\S+ dst=(\S+) sport=\d+ dport=(\d+) (?:packets=\d+ bytes=\d+ )?(\[UNREPLIED\] )?src=(\S+) dst=\S+ sport=(\d+) dport=\d+ (?:packets=\d+ bytes=\d+ )?(?:\[(ASSURED|OFFLOAD)\])?/;

/** Counts the lines of `conntrack -L` as they come, in pieces of any size. */
export class CensusTaker implements Census {
  readonly open = new Map<string, number>();
  readonly states = new Map<string, number>();
  readonly #isOurs: (endpointKey: string) => boolean;
  #rest = "";

  /** @param isOurs whether an endpoint is one of our listeners; the list has the connections of the whole host */
  constructor(isOurs: (endpointKey: string) => boolean) {
    this.#isOurs = isOurs;
  }

  /** The next piece of the list. Its last line counts when it has ended. */
  take(chunk: string): void {
    const lines = (this.#rest + chunk).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#count(line);
  }

  #count(line: string): void {
    const [, transport, tcpState, vip = "", port, unreplied, address = "", backendPort, mark] = ENTRY.exec(line) ?? [];
    if (transport !== "tcp" && transport !== "udp") return;
    const endpoint = { vip, transport, port: Number(port) } as const;
    if (!this.#isOurs(endpointKey(endpoint))) return;
    if (!ENDED.has(tcpState ?? "")) {
      add(this.open, endpointKey(endpoint));
      add(this.open, flowKey({ endpoint, address, port: Number(backendPort) }));
    }
    const otherwise = mark?.toLowerCase() ?? "replied";
    add(this.states, tcpState?.toLowerCase() ?? (unreplied === undefined ? otherwise : "unreplied"));
  }
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
