import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";

import { type Api, untilProvisioned } from "./api.ts";
import { WebBed } from "./load/web-bed.ts";
import { type LoadReport, runWrk, whyNoWrk } from "./load/wrk.ts";

jest.setTimeout(180_000);

const SECONDS = 8;
const CONNECTIONS = 8;

/** Makes a self-signed certificate and gives it to the API; its id. */
async function uploadCertificate(api: Api, name: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "fiberlb-certificate-"));
  const [key, certificate] = ["key.pem", "certificate.pem"].map((file) => join(folder, file)) as [string, string];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", certificate];
  const names = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`];
  execFileSync("openssl", ["req", "-x509", ...kind, ...names], { stdio: "ignore" });
  const made = await api.resource("CertificateService/CreateCertificate", {
    type: "CERTIFICATE_TYPE_SERVER",
    certificatePem: readFileSync(certificate, "utf8"),
    privateKeyPem: readFileSync(key, "utf8"),
  });
  rmSync(folder, { recursive: true });
  return made.id;
}

let bed: WebBed;
let load: Promise<readonly LoadReport[]> | undefined;
let certificateIds: string[];

beforeEach(async () => {
  bed = await WebBed.start({
    listener: async ({ api }) => {
      certificateIds = await Promise.all(["one.example", "two.example"].map((name) => uploadCertificate(api, name)));
      return { protocol: "LISTENER_PROTOCOL_HTTPS", certificateIds: certificateIds.slice(0, 1) };
    },
  });
});
afterEach(async () => {
  // When a change has failed, wrk still runs.
  await Promise.allSettled([load]);
  await bed.close();
});

(whyNoWrk ? describe.skip : describe)(
  `certificates change under load${whyNoWrk ? ` (skipped: ${whyNoWrk})` : ""}`,
  () => {
    test("wrk: no request fails, on connections that stand and on new ones", async () => {
      const over = new AbortController();
      const { api } = bed.node;
      const job = { url: bed.url("https"), connections: CONNECTIONS, seconds: SECONDS };
      load = Promise.all([runWrk(job), runWrk({ ...job, newConnections: true })]).finally(() => over.abort());
      let changes = 0;
      for (; !over.signal.aborted; changes++) {
        const listener = { id: bed.lb.listenerId, certificateIds: [certificateIds[(changes + 1) % 2]] };
        await api.call("ListenerService/UpdateListener", { listener, updateMask: "certificateIds" });
        await untilProvisioned(api, bed.lb);
      }
      const [kept, anew] = (await load) as [LoadReport, LoadReport];
      process.stdout.write(
        `${changes} certificates exchanged under wrk: ${kept.requests} requests on ${CONNECTIONS} connections that stand, ` +
          `${kept.failed} failed; ${anew.requests} with a connection each, ${anew.failed} failed\n`,
      );
      expect([kept, anew]).toMatchObject([{ failed: 0 }, { failed: 0 }]);
      expect(changes).toBeGreaterThan(1);
      expect(kept.requests).toBeGreaterThan(20 * SECONDS);
      expect(anew.requests).toBeGreaterThan(SECONDS);
    });
  },
);
