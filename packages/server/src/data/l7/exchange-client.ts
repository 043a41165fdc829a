import type { Flow } from "../select/selector.ts";
import type { ProxiedEndpoints, TlsFacts } from "../transport/transport.ts";
import type { ForwardedClient } from "./forwarded.ts";

/** The client's side of an exchange. */
export interface ExchangeClient extends Flow {
  readonly forwarded: ForwardedClient;
  /** Between whom the connection is, if a proxy before us said so. */
  readonly proxied: ProxiedEndpoints | undefined;
  /** Set before a backend is chosen. */
  hashText: string | undefined;
  /** undefined in cleartext. */
  readonly tls: TlsFacts | undefined;
  /** False: no more until the client has taken it; `clientDrained` comes then. */
  write(bytes: Uint8Array): boolean;
  pauseBody(): void;
  resumeBody(): void;
  /** The response is complete. */
  answered(keepAlive: boolean): void;
  /** The response can't be completed: what the client has must not look whole. */
  cut(): void;
  /** From now on bytes are no messages any more. */
  startTunnel(): void;
  /** The backend has ended its side of a tunnel. */
  endTunnel(): void;
}
