import type { DatagramTransport } from "./datagram.ts";
import { createDgramDatagrams } from "./dgram-datagrams.ts";
import { createHandleDatagrams } from "./handle-datagrams.ts";
import { loadUdpBinding, type UdpBinding } from "./udp-binding.ts";

/** What {@link createNodeDatagrams} needs. */
export interface NodeDatagramsOptions {
  /** Node's UDP handles; undefined = public interfaces only. Default: the handles where they are known to work. */
  readonly binding?: UdpBinding | undefined;
}

/** UDP sockets that run wherever Node does. */
export function createNodeDatagrams(options: NodeDatagramsOptions = {}): DatagramTransport {
  const binding = "binding" in options ? options.binding : loadUdpBinding();
  return binding === undefined ? createDgramDatagrams() : createHandleDatagrams(binding);
}
