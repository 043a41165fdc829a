import { isDeepStrictEqual } from "node:util";

import type { BackendTlsUnit, PoolUnit } from "../../snapshot/snapshot.ts";
import {
  type BackendProtocol,
  HTTP1_CLEARTEXT,
  HTTP2_CLEARTEXT,
  type TlsClients,
  tlsProtocol,
} from "./backend-protocol.ts";

interface Kept {
  readonly unit: BackendTlsUnit;
  readonly protocol: BackendProtocol;
}

/** How the pools of one worker speak with their backends: one object a pool, until its TLS settings change. */
export class BackendProtocols {
  readonly #createTls: (unit: BackendTlsUnit) => TlsClients;
  readonly #tls = new Map<string, Kept>();

  /** @param createTls may throw what is wrong with the settings: then requests of the pool fail with that reason. */
  constructor(createTls: (unit: BackendTlsUnit) => TlsClients) {
    this.#createTls = createTls;
  }

  /**
   * How a pool's backends are spoken to; undefined when it is not HTTP, or its TLS settings are not at hand: then nobody may
   * guess them.
   */
  of({ id, protocol, backendTls }: PoolUnit): BackendProtocol | undefined {
    if (protocol !== "HTTPS") this.#tls.delete(id);
    if (protocol === "HTTP") return HTTP1_CLEARTEXT;
    if (protocol === "H2C") return HTTP2_CLEARTEXT;
    return protocol !== "HTTPS" || backendTls === undefined ? undefined : this.#tlsOf(id, backendTls);
  }

  /** The pool is gone. */
  forget(poolId: string): void {
    this.#tls.delete(poolId);
  }

  #tlsOf(poolId: string, unit: BackendTlsUnit): BackendProtocol {
    const kept = this.#tls.get(poolId);
    // Units come as copies: the same settings are not the same object.
    if (kept !== undefined && isDeepStrictEqual(kept.unit, unit)) return kept.protocol;
    this.#tls.delete(poolId);
    const protocol = this.#make(unit);
    this.#tls.set(poolId, { unit, protocol });
    return protocol;
  }

  /** What one pool has wrong must not end the worker, which serves others too. */
  #make(unit: BackendTlsUnit): BackendProtocol {
    try {
      return tlsProtocol(this.#createTls(unit), unit.alpnProtocols);
    } catch (error) {
      return { kind: "unusable", reason: (error as Error).message };
    }
  }
}
