// Echo servers in a process of their own. argv: how many, and on which address (default
// 127.0.0.1). Prints their ports as a JSON list once they listen.
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";

async function startEcho(): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    socket.pipe(socket);
  });
  server.listen(0, process.argv[3] ?? "127.0.0.1");
  await once(server, "listening");
  return server;
}

const servers = await Promise.all(Array.from({ length: Number(process.argv[2]) }, startEcho));
console.log(JSON.stringify(servers.map((server) => (server.address() as AddressInfo).port)));
