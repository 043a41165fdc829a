import { type SecureContext, getCACertificates } from "node:tls";

import type { BackendTlsUnit } from "../../snapshot/snapshot.ts";
import type { TlsClient } from "../transport/transport.ts";
import { checkAuthorities, makeSecureContext } from "./secure-context.ts";

/** How one pool speaks TLS with its backends. Immutable; another one serves connections made after a change. */
export class PoolTls {
  readonly #unit: BackendTlsUnit;
  readonly #context: SecureContext;
  readonly #clients = new Map<string, TlsClient>();

  /** @throws TlsConfigurationError when the authority or the client certificate of the unit cannot be used. */
  constructor(unit: BackendTlsUnit) {
    this.#unit = unit;
    this.#context = contextOf(unit);
  }

  /** @param host of a backend, as the user wrote it: a DNS name or an IP address. */
  clientOf(host: string): TlsClient {
    const { serverName = host, skipVerify, alpnProtocols } = this.#unit;
    let client = this.#clients.get(serverName);
    if (client === undefined) {
      client = { context: this.#context, serverName, skipVerify, alpnProtocols };
      this.#clients.set(serverName, client);
    }
    return client;
  }
}

/** Most pools have no authority and no certificate of their own: they share one context of some hundred authorities. */
let sharedContext: SecureContext | undefined;

function contextOf({ caPem, clientCertificate }: BackendTlsUnit): SecureContext {
  if (caPem === undefined && clientCertificate === undefined) {
    return (sharedContext ??= makeSecureContext(undefined, { ca: systemAuthorities() }));
  }
  return makeSecureContext(clientCertificate, {
    ca: caPem === undefined ? systemAuthorities() : checkAuthorities(caPem),
  });
}

/** What the host trusts; on a host without a list of its own, what Node brings. */
function systemAuthorities(): string[] {
  const authorities = getCACertificates("system");
  return authorities.length > 0 ? authorities : getCACertificates("bundled");
}
