// A small real HTTP server, run as its own process by `fiberlb demo`: says who it is, and how often it was asked.
// argv: name, port (0 = any). Prints `{"port":N}` once it listens.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const [name = "backend", port = "0"] = process.argv.slice(2);
let requests = 0;

const server = createServer((request, response) => {
  // Health checks ask with HEAD, so that the count shows clients only.
  if (request.method !== "HEAD") requests++;
  response.writeHead(200, { "content-type": "text/plain", connection: "close" });
  response.end(`${name} answers request ${requests}\n`);
});

server.listen(Number(port), "127.0.0.1", () => {
  process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`);
});

// The demo holds the other end of standard input: when it is gone, so is this process.
process.stdin.on("end", () => process.exit(0)).resume();
