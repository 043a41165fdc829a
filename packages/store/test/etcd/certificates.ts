import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A certificate, its key, and where they are as files. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
}

const openssl = (...args: readonly string[]): void => void execFileSync("openssl", args, { stdio: "ignore" });

/** Makes a key and a certificate for it in the folder: an authority's own, or one for 127.0.0.1 that `issuer` signs. */
export function issue(folder: string, name: string, issuer?: Certificate): Certificate {
  const certFile = join(folder, `${name}.pem`);
  const keyFile = join(folder, `${name}.key`);
  openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", keyFile);
  const configFile = join(folder, `${name}.cnf`);
  writeFileSync(configFile, configOf(issuer === undefined));
  const signer = issuer === undefined ? [] : ["-CA", issuer.certFile, "-CAkey", issuer.keyFile];
  const request = ["-new", "-key", keyFile, "-subj", `/CN=${name}`, "-days", "30", "-config", configFile];
  openssl("req", "-x509", ...request, ...signer, "-out", certFile);
  return { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8"), certFile, keyFile };
}

function configOf(isAuthority: boolean): string {
  return [
    "[req]",
    "distinguished_name = subject",
    "x509_extensions = extensions",
    "[subject]",
    "[extensions]",
    `basicConstraints = critical, CA:${isAuthority ? "TRUE" : "FALSE"}`,
    ...(isAuthority ? [] : ["subjectAltName = IP:127.0.0.1", "extendedKeyUsage = serverAuth, clientAuth"]),
  ].join("\n");
}
