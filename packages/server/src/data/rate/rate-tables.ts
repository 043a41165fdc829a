import { randomInt } from "node:crypto";

import type { ListenerUnit } from "../../snapshot/snapshot.ts";
import type { RateMemory } from "./source-rates.ts";
import { SourceTable } from "./source-table.ts";

interface Tables {
  readonly connections: SourceTable | undefined;
  readonly requests: SourceTable | undefined;
}

const MAX_SEED = 2 ** 31;

/** The main thread's side: gives each listener with a limit the memory that its workers count in. */
export class RateTables {
  readonly #tables = new Map<string, Tables>();

  /** The memory of a listener, made when its first limit comes; undefined without a limit. */
  assign({ id, newConnectionsPerSPerSource, http }: ListenerUnit): RateMemory | undefined {
    const before = this.#tables.get(id);
    const connections = tableFor(newConnectionsPerSPerSource, before?.connections);
    const requests = tableFor(http?.requestsPerSPerSource, before?.requests);
    if (connections === undefined && requests === undefined) {
      this.release(id);
      return undefined;
    }
    this.#tables.set(id, { connections, requests });
    return {
      ...(connections !== undefined && { connections: connections.memory }),
      ...(requests !== undefined && { requests: requests.memory }),
    };
  }

  /** The listener is gone. */
  release(listenerId: string): void {
    this.#tables.delete(listenerId);
  }

  /** Sources of a listener that had to go before their time. */
  forgotten(listenerId: string): number {
    const { connections, requests } = this.#tables.get(listenerId) ?? {};
    return (connections?.forgotten ?? 0) + (requests?.forgotten ?? 0);
  }
}

/** Kept while there is a limit, whatever it is: who has used his rate does not begin anew with a new configuration. */
function tableFor(ratePerS: number | undefined, before: SourceTable | undefined): SourceTable | undefined {
  return ratePerS === undefined ? undefined : (before ?? SourceTable.create(randomInt(MAX_SEED)));
}
