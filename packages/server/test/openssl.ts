import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A certificate and its key, in PEM. */
export interface Issued {
  readonly pem: string;
  readonly keyPem: string;
}

/** What {@link issue} makes; by default a leaf for `CN=test`, signed by itself, with a P-256 key, valid from now for 30 days. */
export interface Wanted {
  /** In OpenSSL's one-line form. */
  readonly subject?: string;
  /** `DNS:example.test`, `IP:127.0.0.1`. */
  readonly alternativeNames?: readonly string[];
  /** Arguments of `openssl genpkey`. */
  readonly key?: readonly string[];
  readonly issuer?: Issued;
  readonly isAuthority?: boolean;
}

export const P256 = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"] as const;
export const rsa = (bits: number) => ["-algorithm", "RSA", "-pkeyopt", `rsa_keygen_bits:${bits}`] as const;

/** Runs openssl; its files are in a folder of their own. @returns what it writes to standard output */
export function openssl(args: readonly string[], files: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), "fiberlb-openssl-"));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    return execFileSync("openssl", args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Makes a key and a certificate for it. */
export function issue(wanted: Wanted = {}): Issued {
  const { subject = "/CN=test", alternativeNames = [], key = P256, issuer, isAuthority = false } = wanted;
  const keyPem = openssl(["genpkey", ...key]);
  const signer = issuer === undefined ? [] : ["-CA", "ca.pem", "-CAkey", "ca.key"];
  const files = {
    "own.key": keyPem,
    config: configOf(alternativeNames, isAuthority),
    ...(issuer !== undefined && { "ca.pem": issuer.pem, "ca.key": issuer.keyPem }),
  };
  const request = ["-new", "-key", "own.key", "-subj", subject, "-days", "30", "-config", "config"];
  const pem = openssl(["req", "-x509", ...request, ...signer], files);
  return { pem, keyPem };
}

/** Names stand in a section of their own, where a comma separates nothing. */
function configOf(alternativeNames: readonly string[], isAuthority: boolean): string {
  const names = alternativeNames.map((entry, index) => entry.replace(":", `.${index} = `));
  return [
    "[req]",
    "distinguished_name = subject",
    "x509_extensions = extensions",
    "[subject]",
    "[extensions]",
    `basicConstraints = critical, CA:${isAuthority ? "TRUE" : "FALSE"}`,
    ...(names.length > 0 ? ["subjectAltName = @names", "[names]", ...names] : []),
  ].join("\n");
}
