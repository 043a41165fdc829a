import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { CertificateUnit } from "../../../src/snapshot/snapshot.ts";

/** What a certificate of a test is for. */
export interface Issue {
  /** DNS names and IP addresses; the first is the common name too. */
  readonly names: readonly string[];
  /** Distinguished name, as openssl takes it. Default: the first name as CN. */
  readonly subject?: string;
  /** Default: a day, long enough for any test. Less than 0: it ended so many days ago. */
  readonly days?: number;
  /** Default: P-256. */
  readonly key?: "ec" | "rsa";
}

/** A certificate authority of a test's own, made with openssl. */
export class TestAuthority {
  readonly pem: string;
  readonly #keyPem: string;
  #issued = 0;

  constructor(name = "test authority") {
    const { certificate, key } = openssl((folder) =>
      run(folder, ["req", "-x509", ...newKey("ec"), "-days", "1", "-subj", `/CN=${name}`]),
    );
    this.pem = certificate;
    this.#keyPem = key;
  }

  /** A certificate by this authority, as a unit carries it. */
  issue({ names, subject = `/CN=${names[0]}`, days = 1, key: kind = "ec" }: Issue): CertificateUnit {
    const { certificate, key } = openssl((folder, write) => {
      write("ca.pem", this.pem);
      write("ca.key", this.#keyPem);
      write("names.cnf", `subjectAltName=${names.map(alternativeName).join(",")}\n`);
      run(folder, ["req", ...newKey(kind), "-subj", subject], "request.pem");
      const signer = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names.cnf"];
      run(folder, ["x509", "-req", "-in", "request.pem", ...signer, "-days", String(days)]);
    });
    this.#issued += 1;
    return { id: `certificate-${this.#issued}`, chainPem: certificate, privateKeyPem: key, names };
  }
}

function newKey(kind: "ec" | "rsa"): string[] {
  const algorithm = kind === "ec" ? ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] : ["rsa:2048"];
  return ["-newkey", ...algorithm, "-nodes", "-keyout", "key.pem"];
}

function alternativeName(name: string): string {
  return /^[\d.]+$|:/.test(name) ? `IP:${name}` : `DNS:${name}`;
}

function run(folder: string, args: readonly string[], out = "certificate.pem"): void {
  execFileSync("openssl", [...args, "-out", out], { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
}

function openssl(make: (folder: string, write: (file: string, text: string) => void) => void): {
  readonly certificate: string;
  readonly key: string;
} {
  const folder = mkdtempSync(join(tmpdir(), "fiberlb-certificates-"));
  try {
    make(folder, (file, text) => writeFileSync(join(folder, file), text));
    const read = (file: string): string => readFileSync(join(folder, file), "utf8");
    return { certificate: read("certificate.pem"), key: read("key.pem") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
