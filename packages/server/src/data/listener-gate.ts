import type { ListenerUnit, Problem, Unit } from "../snapshot/snapshot.ts";
import { bindProblem } from "./bind-problem.ts";
import type { DatagramTransport } from "./transport/datagram.ts";
import { type Transport, TransportError } from "./transport/transport.ts";

/** Endpoints looked at in one go: each takes a file descriptor. */
const AT_ONCE = 64;

/** How {@link ListenerGate} looks at endpoints. */
export interface ListenerGateOptions {
  readonly transport: Transport;
  readonly datagrams: DatagramTransport;
  /** True for as long as another process of ours may hold the endpoints, and ours join it (takeover). */
  readonly join: () => boolean;
}

/** What the gate says of a load balancer. */
export interface Admission {
  /** The unit with the listeners that workers should open. */
  readonly unit: Unit;
  /** Why the others are missing. */
  readonly problems: readonly Problem[];
}

/**
 * Looks at every endpoint before our workers open it for the first time: binds it alone, without `reusePort`, and lets
 * go again. With `reusePort` a second program of the same user would share a port without an error and take half of
 * the connections.
 */
export class ListenerGate {
  readonly #options: ListenerGateOptions;
  /** Endpoints that workers have been told to open, and for which listener. */
  readonly #ours = new Map<string, string>();

  constructor(options: ListenerGateOptions) {
    this.#options = options;
  }

  /** Which listeners may be opened. The answers are in the order of the units. */
  async admit(units: readonly Unit[]): Promise<Admission[]> {
    const codes = await this.#look(units);
    return units.map((unit) => {
      const problems = unit.listeners.flatMap((listener) => {
        const code = codes.get(endpointOf(unit, listener));
        return code === undefined ? [] : [bindProblem(unit, listener, code)];
      });
      const held = new Set(problems.map(({ listenerId }) => listenerId));
      const listeners = unit.listeners.filter(({ id }) => !held.has(id));
      for (const listener of listeners) this.#ours.set(endpointOf(unit, listener), listener.id);
      return { unit: { ...unit, listeners }, problems };
    });
  }

  /**
   * No worker holds the listener's endpoint any more: it is looked at again before the next time. Does nothing when
   * another listener has taken the endpoint over.
   */
  release(unit: Unit, listener: ListenerUnit): void {
    const endpoint = endpointOf(unit, listener);
    if (this.#ours.get(endpoint) === listener.id) this.#ours.delete(endpoint);
  }

  /** The error code for each endpoint that can't be bound. */
  async #look(units: readonly Unit[]): Promise<ReadonlyMap<string, string>> {
    const unknown = new Map<string, Place>();
    for (const unit of units) {
      for (const listener of unit.listeners) {
        const endpoint = endpointOf(unit, listener);
        if (this.#options.join() || this.#ours.has(endpoint)) continue;
        unknown.set(endpoint, { protocol: listener.protocol, address: unit.vip, port: listener.port });
      }
    }
    const codes = new Map<string, string>();
    const waiting = [...unknown];
    while (waiting.length > 0) {
      const looks = waiting.splice(0, AT_ONCE).map(async ([endpoint, place]) => {
        const code = await this.#tryAlone(place);
        if (code !== undefined) codes.set(endpoint, code);
      });
      await Promise.all(looks);
    }
    return codes;
  }

  async #tryAlone(place: Place): Promise<string | undefined> {
    try {
      const socket = await this.#bindAlone(place);
      await socket.close();
      return undefined;
    } catch (error) {
      if (error instanceof TransportError) return error.code;
      throw error;
    }
  }

  /** A client that is quicker than the workers is turned away as if nothing listened yet. */
  #bindAlone({ protocol, ...place }: Place): Promise<{ close(): Promise<void> }> {
    const { transport, datagrams } = this.#options;
    if (protocol === "UDP") return datagrams.bind({ ...place, reusePort: false }, { onDatagram() {}, onLoss() {} });
    return transport.listen({ ...place, reusePort: false, backlog: 1 }, (connection) => connection.reset());
  }
}

/** What is looked at. */
interface Place {
  readonly protocol: ListenerUnit["protocol"];
  readonly address: string;
  readonly port: number;
}

/** TCP and UDP have ports of their own. */
function endpointOf({ vip }: Unit, { protocol, port }: ListenerUnit): string {
  return `${protocol === "UDP" ? "udp" : "tcp"} ${vip} ${port}`;
}
