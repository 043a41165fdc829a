import type { SecureContext } from "node:tls";

import type { Clock } from "../../clock.ts";
import type { CertificateUnit, TlsUnit } from "../../snapshot/snapshot.ts";
import type { TlsServer } from "../transport/transport.ts";
import { checkAuthorities, makeSecureContext } from "./secure-context.ts";
import { ServerNames } from "./server-names.ts";
import { deriveTicketKeys, ticketEpoch } from "./ticket-keys.ts";

/** What {@link ListenerTls} is made of. */
export interface ListenerTlsOptions {
  readonly listenerId: string;
  readonly unit: TlsUnit;
  /** The cluster's, at least 32 bytes: session tickets are sealed with keys derived from it. */
  readonly secret: Uint8Array;
  /** For the epochs of ticket keys. */
  readonly clock: Clock;
}

/**
 * How one listener speaks TLS, over changes of its unit and of the ticket keys. A connection keeps what its handshake
 * began with; the next handshake gets what holds now.
 */
export class ListenerTls {
  readonly #options: ListenerTlsOptions;
  #unit: TlsUnit;
  #epoch: number;
  /** By certificate; what does not change from one unit to the next is not made again. */
  #contexts: ReadonlyMap<string, CertificateContext>;
  #server: TlsServer;

  /** @throws TlsConfigurationError when a certificate, key or authority of the unit cannot be used. */
  constructor(options: ListenerTlsOptions) {
    checkAuthorityOf(options.unit);
    this.#options = options;
    this.#unit = options.unit;
    this.#epoch = this.#epochNow();
    this.#contexts = this.#contextsOf(options.unit, new Map());
    this.#server = this.#build();
  }

  /** For the handshake that begins now. */
  get server(): TlsServer {
    const epoch = this.#epochNow();
    if (epoch !== this.#epoch) {
      this.#epoch = epoch;
      this.#server = this.#build();
    }
    return this.#server;
  }

  /**
   * Handshakes follow the unit from now on; connections that stand are not touched.
   * @throws TlsConfigurationError when the unit cannot be used; the one before it goes on then.
   */
  update(unit: TlsUnit): void {
    if (unit === this.#unit) return;
    checkAuthorityOf(unit);
    const sameAuthority = authorityOf(unit) === authorityOf(this.#unit);
    const contexts = this.#contextsOf(unit, sameAuthority ? this.#contexts : new Map());
    const before = { unit: this.#unit, contexts: this.#contexts };
    this.#unit = unit;
    this.#contexts = contexts;
    try {
      this.#server = this.#build();
    } catch (error) {
      this.#unit = before.unit;
      this.#contexts = before.contexts;
      throw error;
    }
  }

  #epochNow(): number {
    return ticketEpoch(this.#options.clock.epochMs());
  }

  /** One context for each certificate but the first, which {@link #build} has in a context of its own. */
  #contextsOf(unit: TlsUnit, before: ReadonlyMap<string, CertificateContext>): ReadonlyMap<string, CertificateContext> {
    const contexts = new Map<string, CertificateContext>();
    for (const certificate of unit.certificates.slice(1)) {
      const known = before.get(certificate.id);
      const context =
        known !== undefined && isSame(known.certificate, certificate)
          ? known.context
          : makeSecureContext(certificate, { ca: authorityOf(unit) ?? [] });
      contexts.set(certificate.id, { certificate, context });
    }
    return contexts;
  }

  /** OpenSSL takes versions, ciphers and tickets from the context a handshake begins with: only that one is made anew. */
  #build(): TlsServer {
    const { certificates, minVersion, clientAuth, clientCaPem, alpnProtocols } = this.#unit;
    const { secret, listenerId } = this.#options;
    const [first] = certificates;
    if (first === undefined) throw new RangeError(`Cannot speak TLS on listener ${listenerId}: it has no certificate`);
    const defaultContext = makeSecureContext(first, {
      ...deriveTicketKeys(secret, { listenerId, clientAuth, clientCaPem, epoch: this.#epoch }),
      minVersion: minVersion === "TLS_1_3" ? "TLSv1.3" : "TLSv1.2",
      ca: authorityOf(this.#unit) ?? [],
    });
    const base = { defaultContext, alpnProtocols, clientAuth };
    if (this.#contexts.size === 0) return base;
    const names = this.#names(first, defaultContext);
    return { ...base, contextOf: (serverName) => names.find(serverName) ?? defaultContext };
  }

  #names(first: CertificateUnit, defaultContext: SecureContext): ServerNames<SecureContext> {
    const names = new ServerNames<SecureContext>();
    for (const name of first.names) names.add(name, defaultContext);
    for (const { certificate, context } of this.#contexts.values()) {
      for (const name of certificate.names) names.add(name, context);
    }
    return names;
  }
}

interface CertificateContext {
  readonly certificate: CertificateUnit;
  readonly context: SecureContext;
}

/** Absent: nobody's certificate is asked for, and no authority is loaded (Node's own list would be otherwise). */
function authorityOf({ clientAuth, clientCaPem }: TlsUnit): string | undefined {
  return clientAuth === "NONE" ? undefined : clientCaPem;
}

function checkAuthorityOf(unit: TlsUnit): void {
  const pem = authorityOf(unit);
  if (pem !== undefined) checkAuthorities(pem);
}

function isSame(a: CertificateUnit, b: CertificateUnit): boolean {
  return a === b || (a.chainPem === b.chainPem && a.privateKeyPem === b.privateKeyPem);
}
