import { attempt } from "./attempt.ts";
import { dial } from "./dial.ts";
import type { Probe } from "./probe.ts";

/**
 * Passes when the backend accepts a connection, which is then closed without a byte sent (but for the PROXY protocol). A server that speaks first may
 * see a reset instead of an end, because what it sent is not read.
 */
export const probeTcp: Probe = (target, options, context) =>
  attempt(target, context, (running) => {
    const socket = dial(target, options);
    socket.on("error", (error) => running.error(error));
    socket.once("connect", () => running.pass());
    return () => socket.destroy();
  });
