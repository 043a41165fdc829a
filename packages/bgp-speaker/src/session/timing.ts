/** For any call to be answered. */
export const CALL_TIMEOUT_MS = 2000;
/** Together less than the 2 s in which a daemon that hangs is noticed. */
export const HEARTBEAT_EVERY_MS = 400;
/** For a heartbeat to be answered. */
export const HEARTBEAT_TIMEOUT_MS = 1200;
/** Between looks at what the daemon holds, in case something went unnoticed. */
export const RECONCILE_EVERY_MS = 5000;
/** A listing of a large table (of others' routes) is given at most this share of the time. */
export const LISTING_SHARE = 1 / 20;
