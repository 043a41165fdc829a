import type { Clock } from "../../clock.ts";
import type { Connection } from "../transport/transport.ts";
import { LINGER_MS } from "./http1-session.ts";

/**
 * Ends a connection that nobody serves so that its client can read what was written: to close it while bytes of the
 * client are unread, or still come, would be a reset, which takes the response away (RFC 9112 §9.6).
 */
export function closeLingering(client: Connection, clock: Clock): void {
  const cancel = clock.after(LINGER_MS, () => client.close());
  client.handlers = { onData() {}, onDrain() {}, onEnd: () => client.close(), onClose: cancel };
  client.shutdown();
}
