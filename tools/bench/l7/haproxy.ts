/** Where a peer listens, what it asks, and what it shows to clients. */
export interface PeerOptions {
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly backendPort: number;
  /** PEM of certificate and key together; absent: no TLS. */
  readonly certificateFile?: string;
}

/** HAProxy doing what a FiberLB listener does by default: one thread, counters, no log. */
export function haproxyConfig({ httpPort, httpsPort, backendPort, certificateFile }: PeerOptions): string {
  const https =
    certificateFile === undefined
      ? ""
      : `  bind 127.0.0.1:${httpsPort} backlog 4096 ssl crt ${certificateFile} ssl-min-ver TLSv1.2 alpn h2,http/1.1\n`;
  return `global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout http-request 10s
  http-reuse always
  option forwardfor
  unique-id-format %{+X}o%ci%cp%Ts%rt
  unique-id-header X-Request-Id
listen bench
  bind 127.0.0.1:${httpPort} backlog 4096
${https}  http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
  http-request set-header X-Forwarded-Port %[dst_port]
  server backend 127.0.0.1:${backendPort}
`;
}
