// What one connection may ask of us. Limits of heads, bodies and time are the listener's, the same as for HTTP/1.
import type { RateLimit } from "./http2-guard.ts";

/** Requests of one connection that are served at once; more are refused, and may be sent again. */
export const MAX_CONCURRENT_STREAMS = 128;
/** Streams kept for the next requests. */
export const MAX_IDLE_STREAMS = 32;

/** Requests that the client takes back before they are answered, that are malformed, or that are refused. */
export const RESET_LIMIT: RateLimit = { burst: 500, perSecond: 100 };
/** Frames that carry nothing of a request or a response: PING, SETTINGS, PRIORITY, empty DATA, unknown ones… */
export const CONTROL_LIMIT: RateLimit = { burst: 2000, perSecond: 200 };

/** How much longer than the head that it stands for a header block may be, for its framing. */
export const BLOCK_SLACK_BYTES = 4096;
/** Frames that one header block may come in. */
export const MAX_BLOCK_FRAMES = 16;
/** More trailers are refused by whoever reads the body. */
export const TRAILER_LIMIT_BYTES = 16_384;
/** Settings in one frame; there are six that mean something. */
export const MAX_SETTINGS = 32;

/** Answers that the client does not read: far more than is ever written while it does not. */
export const MAX_PENDING_BYTES = 1024 * 1024;
/** After GOAWAY for an error the client may go on sending for so long, so that no reset takes the reason away. */
export const LINGER_MS = 2000;
