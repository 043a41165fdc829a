// Run alone: node --conditions=@fiberlb/source tools/bench/http1.ts
import { ForwardedClient } from "../../packages/server/src/data/l7/forwarded.ts";
import { HeaderEdits } from "../../packages/server/src/data/l7/header-edits.ts";
import { type RequestRewrite, writeRequestHead } from "../../packages/server/src/data/l7/headers.ts";
import { BodyScan } from "../../packages/server/src/data/l7/http1-body.ts";
import { RequestHead, ResponseHead } from "../../packages/server/src/data/l7/http1-head.ts";
import { type ResponseRewrite, writeResponseHead } from "../../packages/server/src/data/l7/response-headers.ts";
import { renderTable } from "./table.ts";
import type { BenchTable } from "./table.ts";

const SAMPLES = 30;
const WARM_UP_SAMPLES = 10;
const LIMITS = { maxUriBytes: 16_384, maxHeaderBytes: 65_536, maxHeaderCount: 128 };

const encoder = new TextEncoder();
const wire = (...lines: readonly string[]): Uint8Array =>
  encoder.encode(lines.map((line) => `${line}\r\n`).join("") + "\r\n");

const wrk = wire("GET / HTTP/1.1", "Host: 127.0.0.1:8080");

/** What Chrome sends for a page of a site with a session. */
const chrome = wire(
  "GET /shop/items?category=shoes&sort=price&page=3 HTTP/1.1",
  "Host: www.example.com",
  "Connection: keep-alive",
  "Cache-Control: max-age=0",
  'sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140"',
  "sec-ch-ua-mobile: ?0",
  'sec-ch-ua-platform: "Linux"',
  "DNT: 1",
  "Upgrade-Insecure-Requests: 1",
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  "Sec-Fetch-Site: same-origin",
  "Sec-Fetch-Mode: navigate",
  "Sec-Fetch-User: ?1",
  "Sec-Fetch-Dest: document",
  "Referer: https://www.example.com/shop/items?category=shoes&sort=price&page=2",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Accept-Language: en-GB,en;q=0.9,de;q=0.8",
  'If-None-Match: W/"5e7-1b2c3d4e5f"',
  "Priority: u=0, i",
  "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=all",
);

const nginx = wire(
  "HTTP/1.1 200 OK",
  "Server: nginx",
  "Date: Thu, 01 Jan 1970 00:00:00 GMT",
  "Content-Type: application/octet-stream",
  "Content-Length: 29",
  "Connection: keep-alive",
);

const requestRewrite: RequestRewrite = {
  forwarded: "APPEND",
  client: new ForwardedClient({ address: "192.0.2.7", protocol: "http", port: 80 }),
  fallbackHost: encoder.encode("203.0.113.1"),
  host: undefined,
  prefix: undefined,
  requestId: encoder.encode("01890a5d-ac96-774b-bcce-b302099a8057"),
  upgrade: true,
  edits: HeaderEdits.none,
  lines: new Uint8Array(0),
};
const responseRewrite: ResponseRewrite = {
  connection: "implied",
  body: "as-is",
  hsts: undefined,
  edits: HeaderEdits.none,
  lines: new Uint8Array(0),
};

/** CPU nanoseconds of each call, median of the samples: wall time would count what else runs on the machine. */
function cpuNsPerCall(calls: number, run: () => void): number {
  const samples: number[] = [];
  for (let sample = -WARM_UP_SAMPLES; sample < SAMPLES; sample++) {
    const start = process.threadCpuUsage();
    for (let i = 0; i < calls; i++) run();
    const { user, system } = process.threadCpuUsage(start);
    if (sample >= 0) samples.push(((user + system) * 1000) / calls);
  }
  return samples.toSorted((a, b) => a - b)[SAMPLES >> 1] as number;
}

const row = (label: string, ns: number, target = ""): string[] => [label, `${ns.toFixed(0)} ns`, target];

function requestRow(label: string, bytes: Uint8Array, target: string): string[] {
  const head = new RequestHead(LIMITS);
  const ns = cpuNsPerCall(10_000, () => {
    head.reset();
    if (head.parse(bytes, 0, bytes.length) !== "complete") throw new Error(`Cannot parse: ${head.error?.reason}`);
  });
  return row(`parse request, ${label} (${bytes.length} B)`, ns, target);
}

function requestRewriteRow(label: string, bytes: Uint8Array): string[] {
  const head = new RequestHead(LIMITS);
  head.parse(bytes, 0, bytes.length);
  const out = new Uint8Array(4096);
  const ns = cpuNsPerCall(10_000, () => void writeRequestHead(head, requestRewrite, out, 0));
  return row(`rewrite request, ${label}: X-Forwarded-*, X-Request-Id`, ns);
}

function responseRows(): string[][] {
  const head = new ResponseHead(LIMITS);
  const out = new Uint8Array(4096);
  const parse = (): void => {
    head.reset();
    if (head.parse(nginx, 0, nginx.length) !== "complete") throw new Error(`Cannot parse: ${head.error?.reason}`);
  };
  return [
    row(`parse response, nginx's (${nginx.length} B)`, cpuNsPerCall(10_000, parse), "< 1000 ns"),
    row(
      "rewrite response, nginx's",
      cpuNsPerCall(10_000, () => void writeResponseHead(head, responseRewrite, out, 0)),
    ),
  ];
}

/** A chunked body of about a mebibyte. */
function chunkedBody(chunkBytes: number): Uint8Array {
  const chunk = `${chunkBytes.toString(16)}\r\n${"x".repeat(chunkBytes)}\r\n`;
  return encoder.encode(`${chunk.repeat(Math.ceil(2 ** 20 / chunkBytes))}0\r\n\r\n`);
}

function chunkedRow(chunkBytes: number): string[] {
  const bytes = chunkedBody(chunkBytes);
  const body = new BodyScan();
  // Enough calls for a sample of some milliseconds, whatever the chunks.
  const ns = cpuNsPerCall(Math.max(4, chunkBytes), () => {
    body.begin("chunked", 0);
    // As a socket hands it over: 64 KiB at a time.
    for (let at = 0; at < bytes.length; at += 65_536) body.read(bytes, at, Math.min(at + 65_536, bytes.length));
    if (body.state !== "done") throw new Error(`Cannot read the chunks: ${body.error?.reason}`);
  });
  return [`chunked body, chunks of ${chunkBytes} B`, `${(bytes.length / ns).toFixed(1)} GB/s`, ""];
}

/** Measures the HTTP/1.1 parser and rewriter alone, on one thread: no sockets. */
export async function benchHttp1(): Promise<BenchTable> {
  return {
    title: "HTTP/1.1 heads and bodies, CPU time per call",
    columns: ["what", "median", "target"],
    rows: [
      requestRow("wrk's", wrk, "< 1000 ns"),
      requestRow("Chrome's, 20 headers", chrome, ""),
      requestRewriteRow("wrk's", wrk),
      requestRewriteRow("Chrome's, 20 headers", chrome),
      ...responseRows(),
      ...[16, 256, 4096, 16_384].map(chunkedRow),
    ],
    notes: [`median of ${SAMPLES} samples; a chunk's payload is not touched, so large chunks cost next to nothing`],
  };
}

if (import.meta.main) console.log(renderTable(await benchHttp1()));
