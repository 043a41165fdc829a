import { describe, expect, it } from "@jest/globals";

import { check, idOf, sentences, specOfMinimal } from "./samples.ts";

const listener = (fields: object) => sentences(check("listener", fields));
const https = { protocol: "HTTPS", certificateIds: [idOf(5)] };

describe("listener: TLS", () => {
  it.each(["TLS", "HTTPS"])("%s needs a certificate", (protocol) => {
    expect(listener({ protocol })).toEqual([
      `certificate_ids must name at least one certificate with protocol ${protocol}`,
    ]);
    expect(listener({ protocol, certificateIds: [idOf(5)] })).toEqual([]);
  });

  it.each(["TCP", "UDP", "HTTP"])("%s refuses everything about TLS", (protocol) => {
    const why = `can only be used with protocol TLS or HTTPS, not with ${protocol}`;
    const fields = {
      certificateIds: [idOf(5)],
      clientAuth: "REQUIRED",
      clientCaCertificateId: idOf(6),
      tlsMinVersion: "TLS_1_3",
      alpnProtocols: ["h2"],
    };
    expect(listener({ protocol, ...fields })).toEqual([
      `certificate_ids ${why}`,
      `client_auth ${why}`,
      `client_ca_certificate_id ${why}`,
      `tls_min_version ${why}`,
      `alpn_protocols ${why}`,
    ]);
  });

  it.each(["OPTIONAL", "REQUIRED"])("client_auth %s needs a CA", (clientAuth) => {
    expect(listener({ ...https, clientAuth })).toEqual([
      `client_ca_certificate_id must name a CLIENT_CA certificate with client_auth ${clientAuth}`,
    ]);
    expect(listener({ ...https, clientAuth, clientCaCertificateId: idOf(6) })).toEqual([]);
  });

  it("refuses a CA that nothing uses", () => {
    expect(listener({ ...https, clientCaCertificateId: idOf(6) })).toEqual([
      "client_ca_certificate_id can only be used with client_auth OPTIONAL or REQUIRED",
    ]);
  });

  it("offers only protocols that it speaks itself, and anything with TLS", () => {
    expect(listener({ ...https, alpnProtocols: ["h2", "spdy/3"] })).toEqual([
      "alpn_protocols must be h2 and http/1.1 with protocol HTTPS, not spdy/3",
    ]);
    expect(listener({ ...https, protocol: "TLS", alpnProtocols: ["mqtt"] })).toEqual([]);
    expect(specOfMinimal("listener", { ...https, alpnProtocols: ["http/1.1"] }).alpnProtocols).toEqual(["http/1.1"]);
  });

  it("refuses a certificate twice", () => {
    expect(listener({ ...https, certificateIds: [idOf(5), idOf(5)] })).toEqual([
      `certificate_ids[1] must not be there twice: "${idOf(5)}"`,
    ]);
  });
});

describe("listener: HTTP", () => {
  const settings = {
    requestTimeoutMs: 1,
    requestHeaderTimeoutMs: 1,
    maxRequestHeaderBytes: 2048,
    maxUriBytes: 1024,
    maxHeaderCount: 1,
    maxRequestBodyBytes: 1,
    forwardedHeaders: "REMOVE",
    addRequestId: false,
    pathNormalization: "OFF",
    exposeReasonHeader: true,
    requestsPerSPerSource: 1,
  };

  it("takes them all", () => {
    expect(specOfMinimal("listener", { protocol: "HTTP", ...settings })).toMatchObject(settings);
    expect(specOfMinimal("listener", { ...https, hstsMaxAgeS: 31_536_000 })).toMatchObject({ hstsMaxAgeS: 31_536_000 });
  });

  it.each(["TCP", "UDP"])("settings are refused with %s: they would be ignored", (protocol) => {
    const sent = listener({ protocol, ...settings, hstsMaxAgeS: 1 });
    expect(sent).toHaveLength(12);
    for (const sentence of sent)
      expect(sentence).toMatch(/ can only be used with protocol HTTP or HTTPS, not with (TCP|UDP)$/);
  });

  it("settings at their defaults are no settings", () => {
    const spec = specOfMinimal("listener");
    expect(listener({ ...spec })).toEqual([]);
  });

  it("HSTS over cleartext is refused (RFC 6797 §7.2)", () => {
    expect(listener({ protocol: "HTTP", hstsMaxAgeS: 1 })).toEqual([
      "hsts_max_age_s can only be used with protocol HTTPS, not with HTTP (RFC 6797 §7.2)",
    ]);
  });

  it("a URI must fit into the header", () => {
    expect(listener({ protocol: "HTTP", maxUriBytes: 4096, maxRequestHeaderBytes: 2048 })).toEqual([
      "max_uri_bytes must be at most max_request_header_bytes (2048), not 4096",
    ]);
  });
});

describe("listener: the rest", () => {
  it.each([
    [{ port: 0 }, "port must be a port, 1 to 65535, not 0"],
    [{ port: 65_536 }, "port must be a port, 1 to 65535, not 65536"],
    [{ port: 80.5 }, "port must be a port, 1 to 65535, not 80.5"],
    [{ port: "80" }, 'port must be a port, not "80"'],
    [{ protocol: "SCTP" }, 'protocol must be one of TCP, UDP, TLS, HTTP, HTTPS, not "SCTP"'],
    [{ allowedCidrs: ["10.0.0.1/8"] }, "allowed_cidrs[0] has host bits set: the network is 10.0.0.0/8"],
    [{ allowedCidrs: ["10.0.0.0/8", "10.0.0.0/8"] }, 'allowed_cidrs[1] must not be there twice: "10.0.0.0/8"'],
    [{ connectionLimit: 2 ** 32 }, "connection_limit must be 0 to 4294967295, not 4294967296"],
    [{ protocol: "UDP", acceptProxyProtocol: true }, "accept_proxy_protocol cannot be used with protocol UDP"],
    [
      { protocol: "TCP", acceptProxyProtocol: true },
      "proxy_protocol_trusted_cidrs must name the networks of the proxies that may say who the client is with accept_proxy_protocol",
    ],
    [
      { accessLog: { format: "a\nb" } },
      'access_log.format must be OFF, JSON or a format string of one line, not "a\\nb"',
    ],
    [
      { accessLog: { path: "../../etc/passwd" } },
      'access_log.path must be a path without "..", not "../../etc/passwd"',
    ],
  ])("%p: %s", (fields, sentence) => {
    expect(listener(fields)).toEqual([sentence]);
  });

  it("canonicalises what it keeps", () => {
    const spec = specOfMinimal("listener", {
      allowedCidrs: ["2001:DB8:0::/48"],
      loadBalancerId: idOf(1).toUpperCase(),
    });
    expect(spec).toMatchObject({ allowedCidrs: ["2001:db8::/48"], loadBalancerId: idOf(1) });
  });
});
