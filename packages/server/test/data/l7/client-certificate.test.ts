import { describe, expect, it } from "@jest/globals";

import { clientCertificateLines } from "../../../src/data/l7/client-certificate.ts";
import { ForwardedClient } from "../../../src/data/l7/forwarded.ts";
import { HeaderEdits } from "../../../src/data/l7/header-edits.ts";
import { requestHeadBound, writeRequestHead } from "../../../src/data/l7/headers.ts";
import type { TlsClientCertificate, TlsFacts } from "../../../src/data/transport/transport.ts";
import { raw, request, requestHead } from "./http1-rig.ts";

const certificate: TlsClientCertificate = {
  subject: { CN: "ann", O: ["Example", "Other"] },
  subjectText: "CN=ann,O=Example",
  issuerText: "CN=Example CA",
  serialNumber: "0A1B",
  fingerprintSha256: "ab".repeat(32),
  notBefore: "2026-01-01T00:00:00.000Z",
  notAfter: "2027-01-01T00:00:00.000Z",
};
const tls = (clientCertificate: TlsClientCertificate | undefined): TlsFacts => ({
  version: "TLSv1.3",
  cipher: "TLS_AES_128_GCM_SHA256",
  serverName: undefined,
  alpnProtocol: undefined,
  isResumed: false,
  clientCertificate,
});
const texts = (lines: readonly Uint8Array[]): string[] => lines.map((line) => Buffer.from(line).toString("latin1"));

/** The header lines that a backend gets. */
function forwarded(text: string, { lines = [] as readonly Uint8Array[], edits = HeaderEdits.none } = {}): string[] {
  const head = requestHead(text);
  const client = new ForwardedClient({
    address: "192.0.2.7",
    protocol: "https",
    port: 443,
    certificateLines: lines,
  });
  const rewrite = {
    forwarded: "PRESERVE",
    client,
    fallbackHost: raw("vip"),
    host: undefined,
    prefix: undefined,
    requestId: undefined,
    upgrade: false,
    edits,
    lines: raw(""),
  } as const;
  const out = new Uint8Array(requestHeadBound(head, rewrite));
  const end = writeRequestHead(head, rewrite, out, 0);
  return Buffer.from(out.subarray(0, end)).toString("latin1").split("\r\n").slice(2, -2);
}

describe("what backends are told of a client's certificate", () => {
  it("is what was verified", () => {
    expect(texts(clientCertificateLines(tls(certificate), true))).toEqual([
      "X-SSL-Client-Has-Cert: 1\r\n",
      "X-SSL-Client-Verify: SUCCESS\r\n",
      "X-SSL-Client-DN: CN=ann,O=Example\r\n",
      "X-SSL-Client-CN: ann\r\n",
      "X-SSL-Client-Issuer-DN: CN=Example CA\r\n",
      "X-SSL-Client-Serial: 0A1B\r\n",
      `X-SSL-Client-SHA256: ${"ab".repeat(32)}\r\n`,
      "X-SSL-Client-Not-Before: 2026-01-01T00:00:00.000Z\r\n",
      "X-SSL-Client-Not-After: 2027-01-01T00:00:00.000Z\r\n",
    ]);
  });

  it("is that there is none, where one is asked for", () => {
    expect(texts(clientCertificateLines(tls(undefined), true))).toEqual([
      "X-SSL-Client-Has-Cert: 0\r\n",
      "X-SSL-Client-Verify: NONE\r\n",
    ]);
    expect(clientCertificateLines(tls(undefined), false)).toEqual([]);
    expect(clientCertificateLines(undefined, true)).toEqual([]);
  });

  it("cannot end its line or pass for something else, whatever a certificate says", () => {
    const odd = { ...certificate, subject: { CN: ["m\r\nX-Admin: 1", "b"] }, subjectText: "CN=größe %0d\u0000" };
    const lines = texts(clientCertificateLines(tls(odd), true));
    expect(lines).toContain("X-SSL-Client-CN: m%0D%0AX-Admin: 1\r\n");
    expect(lines).toContain("X-SSL-Client-DN: CN=gr%C3%B6%C3%9Fe %250d%00\r\n");
  });
});

describe("on its way to a backend", () => {
  const lines = clientCertificateLines(tls(certificate), true).slice(0, 3);

  it("a client cannot say it itself, nor in letters that backends take for the same", () => {
    const forged = request(
      "X-SSL-Client-Verify: SUCCESS",
      "x-ssl-client-dn: CN=root",
      "X_SSL_Client_CN: root",
      "X-SSL-CLIENT-ANYTHING: x",
      "X-SSL-Client: kept",
      "Accept: */*",
    );
    expect(forwarded(forged)).toEqual(["X-SSL-Client: kept", "Accept: */*"]);
    expect(forwarded(forged, { lines })).toEqual([
      "X-SSL-Client: kept",
      "Accept: */*",
      "X-SSL-Client-Has-Cert: 1",
      "X-SSL-Client-Verify: SUCCESS",
      "X-SSL-Client-DN: CN=ann,O=Example",
    ]);
  });

  it("gives way to what a policy sets or removes", () => {
    const edits = new HeaderEdits({ "X-SSL-Client-DN": "", "X-SSL-Client-Verify": "policy" });
    expect(forwarded(request(), { lines, edits })).toEqual(["X-SSL-Client-Has-Cert: 1", "X-SSL-Client-Verify: policy"]);
  });
});
