import { once } from "node:events";
import { createServer } from "node:http";

/** What the admin port of a controller tells. */
export interface ControllerProbes {
  readonly metrics: () => string;
  /** Why it has not looked at all Services yet, or undefined. */
  readonly notReady: () => string | undefined;
}

/**
 * Opens the admin port of a controller: /healthz, /readyz, /metrics.
 *
 * @throws the system's error when it cannot be bound
 */
export async function startControllerAdmin(listen: string, probes: ControllerProbes): Promise<() => Promise<void>> {
  const server = createServer((request, response) => {
    const [status, body] = answer(request.url ?? "", probes);
    response.writeHead(status, {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
      "cache-control": "no-store",
    });
    response.end(body);
  });
  const at = listen.lastIndexOf(":");
  server.listen(Number(listen.slice(at + 1)), listen.slice(0, at).replace(/^\[|\]$/g, ""));
  await once(server, "listening");
  return async () => {
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  };
}

function answer(url: string, { metrics, notReady }: ControllerProbes): readonly [number, string] {
  switch (url.split("?")[0]) {
    case "/healthz":
      return [200, "ok\n"];
    case "/readyz": {
      const why = notReady();
      return why === undefined ? [200, "ok\n"] : [503, `${why}\n`];
    }
    case "/metrics":
      return [200, metrics()];
    default:
      return [404, "known here: /metrics /healthz /readyz\n"];
  }
}
