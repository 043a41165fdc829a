import type { SecureContext } from "node:tls";

import { encodeAlpn } from "./alpn.ts";
import type { TcpBinding, TcpHandle, TlsHandle } from "./tcp-binding.ts";
import type { TlsCause } from "./tls-error.ts";
import { HandshakeFacts } from "./tls-facts.ts";
import { serverNameToSend, verifyClient, verifyServer } from "./tls-verify.ts";
import type { SecureOptions, TlsClient, TlsServer } from "./transport.ts";

/** TLS of one handle connection: how it begins, what the handshake came to, and bytes that came while paused. */
export class HandleTls {
  readonly handle: TlsHandle;
  readonly #role: Role;
  /** How far it is: OpenSSL is done with the handshake; the owner of the connection knows. */
  #done = false;
  #facts: HandshakeFacts | undefined;
  /** Decrypted behind the back of an owner that has paused: one read from below may hold several records. */
  #held: Buffer[] = [];
  endHeld = false;

  private constructor(handle: TlsHandle, role: Role) {
    this.handle = handle;
    this.#role = role;
  }

  /** As the server; the client speaks first. */
  static accept(binding: TcpBinding, tcp: TcpHandle, { server }: SecureOptions): HandleTls {
    const handle = binding.wrapTls(tcp, nativeOf(server.defaultContext), true);
    const { clientAuth, alpnProtocols } = server;
    if (clientAuth !== "NONE") handle.setVerifyMode(true, clientAuth === "REQUIRED");
    if (alpnProtocols.length > 0) handle.setALPNProtocols(encodeAlpn(alpnProtocols));
    if (server.contextOf !== undefined) {
      handle.oncertcb = ({ servername }) => showCertificate(handle, server, servername);
      handle.enableCertCb();
    }
    return new HandleTls(handle, { server });
  }

  /** As the client; `handle.start` is to be called when reading has begun. */
  static connect(binding: TcpBinding, tcp: TcpHandle, client: TlsClient): HandleTls {
    const handle = binding.wrapTls(tcp, nativeOf(client.context), false);
    const serverName = serverNameToSend(client);
    if (serverName !== undefined) handle.setServername(serverName);
    if (client.alpnProtocols.length > 0) handle.setALPNProtocols(encodeAlpn(client.alpnProtocols));
    return new HandleTls(handle, { client });
  }

  get facts(): HandshakeFacts | undefined {
    return this.#facts;
  }

  /** OpenSSL has finished the handshake, and the owner has not been told. */
  get isToBeVerified(): boolean {
    return this.#done && this.#facts === undefined;
  }

  /** For the handle's callback only. */
  handshakeDone(): void {
    this.#done = true;
  }

  /** Looks at what the peer showed. @returns why it is refused. */
  verify(): TlsCause | undefined {
    const { handle } = this;
    const { certificate, refusal } = this.#judge();
    if (refusal !== undefined) return refusal;
    const serverName = this.#role.server === undefined ? undefined : handle.getServername();
    this.#facts = new HandshakeFacts(
      handle,
      { serverName, alpnProtocol: handle.getALPNNegotiatedProtocol() },
      certificate,
    );
    return undefined;
  }

  hold(bytes: Uint8Array): void {
    this.#held.push(Buffer.from(bytes));
  }

  /** Something is to be told before more is read. */
  get holds(): boolean {
    return this.#held.length > 0 || this.endHeld;
  }

  /** The next bytes that were held. */
  takeHeld(): Buffer | undefined {
    return this.#held.shift();
  }

  #judge(): ReturnType<typeof verifyClient> {
    if (this.#role.server !== undefined) return verifyClient(this.handle, this.#role.server);
    const refusal = verifyServer(this.handle, this.#role.client);
    return refusal === undefined ? {} : { refusal };
  }
}

type Role =
  | { readonly server: TlsServer; readonly client?: undefined }
  | { readonly client: TlsClient; readonly server?: undefined };

function nativeOf(context: SecureContext): unknown {
  return (context as unknown as { readonly context: unknown }).context;
}

function showCertificate(handle: TlsHandle, server: TlsServer, serverName: string): void {
  const context = serverName === "" ? undefined : server.contextOf?.(serverName.toLowerCase());
  if (context !== undefined && context !== server.defaultContext) handle["sni_context"] = nativeOf(context);
  handle.certCbDone();
}
