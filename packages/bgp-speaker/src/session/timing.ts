/** For any call to be answered. */
export const CALL_TIMEOUT_MS = 2000;
/** Together less than the 2 s in which a daemon that hangs is noticed. */
export const HEARTBEAT_EVERY_MS = 300;
/** For a heartbeat to be answered. */
export const HEARTBEAT_TIMEOUT_MS = 1100;
/** Between looks at what the daemon holds, in case something went unnoticed. */
export const RECONCILE_EVERY_MS = 5000;
/** Between looks at peers that are not as wanted: not all that changes is told by itself (BFD, a password in a file). */
export const LOOK_AGAIN_MS = 1000;
/** A listing of a large table (of others' routes) is given at most this share of the time. */
export const LISTING_SHARE = 1 / 20;
