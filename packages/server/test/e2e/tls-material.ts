import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";

import { CertificateType, type FiberlbClient, ListenerProtocol } from "@fiberlb/api";

import { issue, type Issued } from "../openssl.ts";
import type { Declaration, Declared } from "./declare.ts";
import type { Target } from "./http-client.ts";
import { declareHttp } from "./policies.ts";

/** An authority, what it has signed, and files of both for programs that read files. */
export class TlsMaterial {
  readonly authority: Issued = issue({ subject: "/CN=e2e authority", isAuthority: true });
  readonly folder = mkdtempSync(join(tmpdir(), "fiberlb-tls-"));
  /** Of the authority's certificate. */
  readonly caFile = this.write("ca.pem", this.authority.pem);

  /** A certificate for names, the first of which is its subject's. */
  issue(...names: readonly string[]): Issued {
    const alternativeNames = names.map((name) => `DNS:${name}`);
    return issue({ subject: `/CN=${names[0]}`, alternativeNames, issuer: this.authority });
  }

  /** A file in a folder of its own; its path. */
  write(name: string, text: string): string {
    const file = join(this.folder, name);
    writeFileSync(file, text);
    return file;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}

/** Gives a key pair to the API; resolves with its id. */
export async function uploadServer(client: FiberlbClient, { pem, keyPem }: Issued): Promise<string> {
  const material = { certificatePem: pem, privateKeyPem: keyPem };
  const { certificate } = await client.certificates.createCertificate({ type: CertificateType.SERVER, ...material });
  return certificate!.id;
}

/** Gives an authority's certificate to the API; resolves with its id. */
export async function uploadAuthority(client: FiberlbClient, { pem }: Pick<Issued, "pem">): Promise<string> {
  const wanted = { type: CertificateType.CLIENT_CA, certificatePem: pem };
  return (await client.certificates.createCertificate(wanted)).certificate!.id;
}

/** An HTTPS listener with an HTTP pool. */
export const declareHttps = (
  client: FiberlbClient,
  { listener, ...declaration }: Declaration & { readonly listener: object },
): Promise<Declared> =>
  declareHttp(client, { ...declaration, listener: { protocol: ListenerProtocol.HTTPS, ...listener } });

/**
 * A TLS connection that stands for the client; the server may still refuse the client's certificate.
 * @throws Error when the handshake fails.
 */
export function openTls({ host, port }: Target, options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, ...options });
    socket.once("error", reject);
    socket.once("secureConnect", () => resolve(socket));
  });
}

/** Asks for `/` over a connection of its own; resolves with all that comes, which is nothing when it is refused. */
export async function askOnce(target: Target, options: ConnectionOptions): Promise<string> {
  const socket = await openTls(target, options).catch(() => undefined);
  if (socket === undefined) return "";
  socket.setEncoding("latin1").on("error", () => undefined);
  let received = "";
  socket.on("data", (text: string) => (received += text));
  const closed = new Promise((resolve) => void socket.on("close", resolve));
  socket.write("GET / HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n");
  await closed;
  return received;
}
