import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";

import type { Interceptor, Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";

import { reachabilityInterceptor } from "./reachability.ts";

/** Key material in PEM form. */
export interface ClientTls {
  /** Authorities that the server's certificate must come from; the system's when absent. */
  readonly ca?: string;
  /** The client's own certificate and key, for mutual TLS. */
  readonly cert?: string;
  readonly key?: string;
  /** Accepts any server certificate. Only for trials: whoever is in between can read and change everything. */
  readonly insecureSkipVerify?: boolean;
}

/** Where the server is and how to speak with it. */
export interface TransportOptions {
  /** `http://127.0.0.1:9080` or `https://…`. */
  readonly baseUrl: string;
  /** Default `grpc`. All three are served on the same port. */
  readonly protocol?: "grpc" | "grpc-web" | "connect";
  /** Default `2`, in cleartext with prior knowledge; gRPC has no other. */
  readonly httpVersion?: "1.1" | "2";
  readonly tls?: ClientTls;
  /** Of every call that is not a stream; none by default. Streams last until they are aborted. */
  readonly timeoutMs?: number;
  readonly interceptors?: Interceptor[];
}

/** A transport that can be closed. */
export interface OpenTransport {
  readonly transport: Transport;
  readonly close: () => void;
}

/** @throws TypeError when the options contradict each other or the URL is none. */
export function openTransport(options: TransportOptions): OpenTransport {
  const { protocol = "grpc", httpVersion = "2" } = options;
  const url = checkUrl(options.baseUrl);
  if (protocol === "grpc" && httpVersion === "1.1") {
    throw new TypeError("Cannot create a client: gRPC needs HTTP/2; use protocol grpc-web or connect over HTTP/1.1");
  }
  if (url.protocol === "http:" && options.tls !== undefined) {
    throw new TypeError(`Cannot create a client: tls is given, but ${options.baseUrl} is not an https URL`);
  }
  const interceptors = [...(options.interceptors ?? []), reachabilityInterceptor(options.baseUrl)];
  const opened =
    httpVersion === "2" ? openHttp2({ ...options, interceptors }) : openHttp1({ ...options, interceptors });
  return { ...opened, transport: withTimeout(opened.transport, options.timeoutMs) };
}

function checkUrl(baseUrl: string): URL {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") return url;
  throw new TypeError(`Cannot create a client: ${JSON.stringify(baseUrl)} is not an http or https URL`);
}

function openHttp2({ baseUrl, protocol, interceptors, tls }: TransportOptions): OpenTransport {
  const sessionManager = new Http2SessionManager(baseUrl, undefined, tlsOptions(tls));
  const common = { baseUrl, interceptors: interceptors ?? [], sessionManager, httpVersion: "2" } as const;
  return { transport: createTransport(protocol ?? "grpc", common), close: () => sessionManager.abort() };
}

function openHttp1({ baseUrl, protocol, interceptors, tls }: TransportOptions): OpenTransport {
  const agent = baseUrl.startsWith("https:")
    ? new HttpsAgent({ keepAlive: true, ...tlsOptions(tls) })
    : new HttpAgent({ keepAlive: true });
  const common = { baseUrl, interceptors: interceptors ?? [], nodeOptions: { agent }, httpVersion: "1.1" } as const;
  return { transport: createTransport(protocol ?? "connect", common), close: () => agent.destroy() };
}

function createTransport(
  protocol: "grpc" | "grpc-web" | "connect",
  common: Parameters<typeof createConnectTransport>[0],
): Transport {
  switch (protocol) {
    case "connect":
      return createConnectTransport(common);
    case "grpc-web":
      return createGrpcWebTransport(common);
    case "grpc":
      return createGrpcTransport(common as Parameters<typeof createGrpcTransport>[0]);
  }
}

const tlsOptions = ({ ca, cert, key, insecureSkipVerify = false }: ClientTls = {}) => ({
  ...(ca !== undefined && { ca }),
  ...(cert !== undefined && { cert }),
  ...(key !== undefined && { key }),
  rejectUnauthorized: !insecureSkipVerify,
});

/** Connect's own default timeout would end streams, too. */
function withTimeout(transport: Transport, timeoutMs: number | undefined): Transport {
  return {
    unary: (method, signal, callTimeoutMs, ...rest) =>
      transport.unary(method, signal, callTimeoutMs ?? timeoutMs, ...rest),
    stream: (method, ...rest) => transport.stream(method, ...rest),
  };
}
