// Answers the `systemctl` that the lab's shells find in their PATH: POST /HOST/VERB/UNIT over a socket file.
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";

import type { Units } from "./units.ts";

/** Listens on a socket file for all hosts. */
export async function serveSystemctl(socket: string, unitsOf: (host: string) => Units | undefined): Promise<Server> {
  const server = createServer((request, response) => {
    answer(request, unitsOf).then(
      (text) => response.end(text),
      (error: unknown) => response.writeHead(400).end(`${(error as Error).message}\n`),
    );
  });
  server.listen(socket);
  await once(server, "listening");
  return server;
}

async function answer({ url = "" }: IncomingMessage, unitsOf: (host: string) => Units | undefined): Promise<string> {
  const [, host = "", verb = "", unit = ""] = url.split("/");
  const units = unitsOf(host);
  if (units === undefined) throw new Error(`no such host: ${host}`);
  switch (verb) {
    case "start":
    case "enable":
      units.start(unit);
      return "";
    case "stop":
    case "disable":
      await units.stop(unit);
      return "";
    case "restart":
      await units.stop(unit);
      units.start(unit);
      return "";
    case "reload":
      units.signal(unit, "SIGHUP");
      return "";
    case "is-active":
      if (!units.isActive(unit)) throw new Error("inactive");
      return "active\n";
    default:
      throw new Error(`systemctl ${verb}: not in this lab`);
  }
}
