import type { PeerOptions } from "./haproxy.ts";

const NO_LOG = "access_log off; keepalive_requests 1000000000; client_body_temp_path .; proxy_temp_path .;";
const OTHER_TEMP = "fastcgi_temp_path .; uwsgi_temp_path .; scgi_temp_path .;";

const nginx = (name: string, http: string): string => `daemon off; master_process off; worker_processes 1;
pid ${name}.pid; error_log stderr crit;
events { worker_connections 20000; }
http {
  ${NO_LOG} ${OTHER_TEMP}
${http}}
`;

/** The backend: a small answer at `/`, a file of 64 KiB beside its configuration at `/64k`. */
export const nginxBackendConfig = (port: number): string =>
  nginx(
    "backend",
    `  sendfile on; tcp_nopush on; open_file_cache max=10;
  server {
    listen 127.0.0.1:${port} backlog=4096; root .;
    location = / { return 200 "hello from the backend 29 by\\n"; }
  }
`,
  );

/** nginx doing what a FiberLB listener does by default, as far as it can: one process, no log. */
export function nginxPeerConfig({ httpPort, httpsPort, backendPort, certificateFile }: PeerOptions): string {
  const https =
    certificateFile === undefined
      ? ""
      : `    listen 127.0.0.1:${httpsPort} ssl http2 backlog=4096; ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate ${certificateFile}; ssl_certificate_key ${certificateFile};
`;
  return nginx(
    "peer",
    `  upstream bench { server 127.0.0.1:${backendPort}; keepalive 256; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${httpPort} backlog=4096;
${https}    proxy_http_version 1.1; proxy_buffers 16 16k;
    proxy_set_header Connection ""; proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Port $server_port; proxy_set_header X-Request-Id $request_id;
    location / { proxy_pass http://bench; }
  }
`,
  );
}
