/** npm's http-proxy as a balancer: `node http-proxy-process.ts MODULE PORT BACKEND_PORT`. */
import { Agent, createServer } from "node:http";
import type { RequestListener } from "node:http";
import { createRequire } from "node:module";

interface HttpProxy {
  createProxyServer(options: object): { readonly web: RequestListener; on(event: "error", listener: () => void): void };
}

const [module = "", port, backendPort] = process.argv.slice(2);
const httpProxy = createRequire(import.meta.url)(module) as HttpProxy;
const agent = new Agent({ keepAlive: true, maxSockets: 256 });
const proxy = httpProxy.createProxyServer({
  target: { host: "127.0.0.1", port: Number(backendPort) },
  agent,
  xfwd: true,
});
proxy.on("error", () => undefined);
createServer((request, response) => proxy.web(request, response)).listen(Number(port), "127.0.0.1", 4096);
