// A web server behind the load balancers. argv: its name and port. Says who it is, and who asked it: with a proxy in between
// that is the node that the connection came through.
import { createServer } from "node:http";

import type { Answer } from "./messages.ts";

const [server = "", port = ""] = process.argv.slice(2);

createServer((request, response) => {
  const from = (request.socket.remoteAddress ?? "").replace(/^::ffff:/, "");
  response.writeHead(200, { "content-type": "application/json", connection: "close" });
  response.end(JSON.stringify({ server, from } satisfies Answer));
}).listen(Number(port), "::", () => process.send?.("listening"));

// The lab holds the other end: when it is gone, so is this process.
process.on("disconnect", () => process.exit(0));
