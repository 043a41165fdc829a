// An HTTP/1.1 server in a process of its own, to be killed. argv: its name, host and port. Prints its port once it
// listens. Answers are small enough to leave in one piece: whoever gets a part of one gets all of it.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const [name = "", host = "", port = ""] = process.argv.slice(2);
const server = createServer((request, response) => {
  request.resume().on("end", () => {
    response.setHeader("X-Backend", name);
    response.end("hello\n");
  });
});
// Longer than any run: it is not the backend that ends idle connections here.
server.keepAliveTimeout = 600_000;
server.listen(Number(port), host);
await once(server, "listening");
console.log((server.address() as AddressInfo).port);
