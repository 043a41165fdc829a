import dgram from "node:dgram";

import { writeLocalProxyHeader } from "../../data/l4/proxy-protocol.ts";
import { attempt } from "./attempt.ts";
import { endpoint } from "./failure.ts";
import type { Probe } from "./probe.ts";

/** One byte: some servers take an empty datagram for the end of input. */
const PAYLOAD = Buffer.of(0);

/**
 * Sends one datagram and fails when the backend's host answers that nothing listens on the port (ICMP port unreachable).
 * Any answer passes at once, silence passes when the time is up: UDP servers need not answer what they don't understand.
 * A host that is down is silent as well, so pools of UDP servers are better checked by a TCP or HTTP check on a
 * `monitor_port` where there is one.
 */
export const probeUdp: Probe = (target, options, context) =>
  attempt(target, context, (running) => {
    running.silencePasses = true;
    const payload =
      options.sendProxyProtocol === "V2" ? Buffer.concat([writeLocalProxyHeader("V2"), PAYLOAD]) : PAYLOAD;
    const socket = dgram.createSocket(target.address.includes(":") ? "udp6" : "udp4");
    const fail = (error: Error): void => {
      const refused = (error as NodeJS.ErrnoException).code === "ECONNREFUSED";
      if (refused) running.fail(`nothing listens on UDP ${endpoint(target.address, target.port)} (port unreachable)`);
      else running.error(error);
    };
    socket.on("error", fail);
    socket.once("message", () => running.pass());
    // Only a connected socket is told of ICMP errors, and only it ignores datagrams from elsewhere.
    socket.connect(target.port, target.address, (error?: Error) => {
      if (error) fail(error);
      else socket.send(payload, (failed) => failed && fail(failed));
    });
    return () => socket.close();
  });
