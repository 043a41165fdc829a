import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { isInstalled, type Processes } from "../processes.ts";
import type { CertificateFiles } from "./fiberlb.ts";

/** A self-signed ECDSA P-256 certificate for bench.example; undefined without openssl. */
export function makeCertificate(processes: Processes): CertificateFiles | undefined {
  if (!isInstalled("openssl")) return undefined;
  const certificate = join(processes.folder, "bench.crt");
  const privateKey = join(processes.folder, "bench.key");
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const names = ["-subj", "/CN=bench.example", "-addext", "subjectAltName=DNS:bench.example", "-days", "30"];
  const files = ["-keyout", privateKey, "-out", certificate];
  const { status, stderr } = spawnSync("openssl", ["req", "-x509", ...curve, ...names, ...files]);
  if (status !== 0) throw new Error(`Cannot make a certificate: openssl says\n${stderr.toString()}`);
  const both = processes.file("bench.pem", readFileSync(certificate, "utf8") + readFileSync(privateKey, "utf8"));
  return { certificate, privateKey, both };
}
