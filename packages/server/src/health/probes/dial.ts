import net from "node:net";

import { writeLocalProxyHeader } from "../../data/l4/proxy-protocol.ts";
import type { ProbeOptions, ProbeTarget } from "./probe.ts";

/** Connects as traffic does: to backends that want the PROXY protocol with a header, which says that it is nobody's. */
export function dial({ address, port }: ProbeTarget, { sendProxyProtocol }: ProbeOptions): net.Socket {
  const socket = net.connect({ host: address, port });
  if (sendProxyProtocol !== undefined) socket.write(writeLocalProxyHeader(sendProxyProtocol));
  return socket;
}
