import type { Clock } from "../../clock.ts";
import { ConnectDeadlines } from "./connect-deadlines.ts";
import { createHandleTransport } from "./handle-transport.ts";
import { createStreamTransport } from "./stream-transport.ts";
import { type TcpBinding, loadTcpBinding } from "./tcp-binding.ts";
import type { Transport } from "./transport.ts";

/** What {@link createNodeTransport} needs. */
export interface NodeTransportOptions {
  /** For connect timeouts. */
  readonly clock: Clock;
  /** Node's TCP handles; undefined = public interfaces only. Default: the handles where they are known to work. */
  readonly binding?: TcpBinding | undefined;
}

/** The transport that runs wherever Node does. One per thread: its connections share one read buffer. */
export function createNodeTransport(options: NodeTransportOptions): Transport {
  const deadlines = new ConnectDeadlines(options.clock);
  const binding = "binding" in options ? options.binding : loadTcpBinding();
  return binding === undefined ? createStreamTransport(deadlines) : createHandleTransport(binding, deadlines);
}
