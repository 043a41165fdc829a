import {
  Code,
  ConnectError,
  type ConnectRouter,
  type ConnectRouterOptions,
  createConnectRouter,
} from "@connectrpc/connect";
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";

import type { HttpHandler } from "./one-port.ts";

export interface ConnectHandlerOptions extends ConnectRouterOptions {
  readonly routes: (router: ConnectRouter) => void;
  /** Something went wrong while an answer was being sent, other than the client going away. */
  readonly onError: (error: unknown, rpc: string) => void;
}

/**
 * Serves RPCs over Node's HTTP servers. Unlike `connectNodeAdapter` it does not print to the console when a client goes
 * away in the middle of a stream.
 */
export function connectHandler({ routes, onError, ...options }: ConnectHandlerOptions): HttpHandler {
  const router = createConnectRouter({ acceptCompression: [compressionGzip, compressionBrotli], ...options });
  routes(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  return (req, res) => {
    const path = req.url?.split("?", 1)[0] ?? "";
    const handler = handlers.get(path);
    if (handler === undefined) return answerNotFound(path, res);
    handler(universalRequestFromNodeRequest(req, res, undefined, undefined))
      .then((response) => universalResponseToNodeResponse(response, res))
      .catch((error: unknown) => {
        const { code } = ConnectError.from(error);
        const clientLeft = code === Code.Aborted || code === Code.Canceled || res.destroyed || req.destroyed;
        if (!clientLeft) onError(error, path);
      });
  };
}

function answerNotFound(path: string, res: Parameters<HttpHandler>[1]): void {
  res.statusCode = 404;
  res.setHeader("content-type", "application/json");
  res.end(
    JSON.stringify({
      code: "unimplemented",
      message: `Unknown path ${path}: RPCs are POST /fiberlb.v1.<Service>/<Method>`,
    }),
  );
}
