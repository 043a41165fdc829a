import net from "node:net";

import { attempt } from "./attempt.ts";
import type { Probe } from "./probe.ts";

/**
 * Passes when the backend accepts a connection, which is then closed without a byte sent. A server that speaks first may
 * see a reset instead of an end, because what it sent is not read.
 */
export const probeTcp: Probe = (target, _options, context) =>
  attempt(target, context, (running) => {
    const socket = net.connect({ host: target.address, port: target.port });
    socket.on("error", (error) => running.error(error));
    socket.once("connect", () => running.pass());
    return () => socket.destroy();
  });
