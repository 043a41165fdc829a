import type { ParsedListener } from "./listener-spec.ts";
import type { Report, Rules } from "./resource.ts";

type Spec = Partial<ParsedListener>;

/** Rules between the fields of a listener. */
export const listenerRules: Rules<ParsedListener> = (spec, report) => {
  const { protocol } = spec;
  if (protocol === undefined) return;
  if (protocol === "TLS" || protocol === "HTTPS") checkTls(spec, report);
  else refuseTls(spec, report);
  if (protocol === "HTTP" || protocol === "HTTPS") checkHttp(spec, report);
  else refuseHttp(spec, report);
  if (protocol === "UDP" && spec.acceptProxyProtocol === true) {
    report("acceptProxyProtocol", "cannot be used with protocol UDP");
  }
  if (protocol !== "UDP" && spec.acceptProxyProtocol === true && spec.proxyProtocolTrustedCidrs?.length === 0) {
    const whom = "the networks of the proxies that may say who the client is";
    report("proxyProtocolTrustedCidrs", `must name ${whom} with accept_proxy_protocol`, "REQUIRED");
  }
};

function checkTls(spec: Spec, report: Report): void {
  if (spec.certificateIds?.length === 0) {
    report("certificateIds", `must name at least one certificate with protocol ${spec.protocol}`, "REQUIRED");
  }
  const { clientAuth } = spec;
  if (clientAuth === undefined) return;
  if (clientAuth !== "NONE" && spec.clientCaCertificateId === undefined) {
    report("clientCaCertificateId", `must name a CLIENT_CA certificate with client_auth ${clientAuth}`, "REQUIRED");
  }
  if (clientAuth === "NONE" && spec.clientCaCertificateId !== undefined) {
    report("clientCaCertificateId", "can only be used with client_auth OPTIONAL or REQUIRED");
  }
  const foreign = spec.protocol === "HTTPS" && spec.alpnProtocols?.find((id) => id !== "h2" && id !== "http/1.1");
  if (typeof foreign === "string")
    report("alpnProtocols", `must be h2 and http/1.1 with protocol HTTPS, not ${foreign}`);
}

function refuseTls(spec: Spec, report: Report): void {
  const refuse = (at: string): void =>
    report(at, `can only be used with protocol TLS or HTTPS, not with ${spec.protocol}`);
  if (spec.certificateIds !== undefined && spec.certificateIds.length > 0) refuse("certificateIds");
  if (spec.clientAuth !== undefined && spec.clientAuth !== "NONE") refuse("clientAuth");
  if (spec.clientCaCertificateId !== undefined) refuse("clientCaCertificateId");
  if (spec.tlsMinVersion !== undefined && spec.tlsMinVersion !== "TLS_1_2") refuse("tlsMinVersion");
  if (spec.alpnProtocols !== undefined && spec.alpnProtocols.length > 0) refuse("alpnProtocols");
}

function checkHttp(spec: Spec, report: Report): void {
  const { maxUriBytes, maxRequestHeaderBytes } = spec;
  if (maxUriBytes !== undefined && maxRequestHeaderBytes !== undefined && maxUriBytes > maxRequestHeaderBytes) {
    report("maxUriBytes", `must be at most max_request_header_bytes (${maxRequestHeaderBytes}), not ${maxUriBytes}`);
  }
  if (spec.protocol === "HTTP" && (spec.hstsMaxAgeS ?? 0) > 0) {
    report("hstsMaxAgeS", "can only be used with protocol HTTPS, not with HTTP (RFC 6797 §7.2)");
  }
}

/** The values that say nothing: any other on a listener without HTTP would be a setting that is silently ignored. */
const HTTP_ONLY = {
  requestTimeoutMs: 0,
  requestHeaderTimeoutMs: 10_000,
  maxRequestHeaderBytes: 65_536,
  maxUriBytes: 16_384,
  maxHeaderCount: 128,
  maxRequestBodyBytes: 0,
  forwardedHeaders: "APPEND",
  addRequestId: true,
  hstsMaxAgeS: 0,
  pathNormalization: "ON",
  exposeReasonHeader: false,
  requestsPerSPerSource: 0,
} as const satisfies Spec;

function refuseHttp(spec: Spec, report: Report): void {
  for (const [at, neutral] of Object.entries(HTTP_ONLY)) {
    const value = spec[at as keyof typeof HTTP_ONLY];
    if (value === undefined || value === neutral) continue;
    report(at, `can only be used with protocol HTTP or HTTPS, not with ${spec.protocol}`);
  }
}
