/**
 * Cookie persistence without a table: a cookie names its backend by a keyed hash, so that every worker and node that
 * has the key understands it, and nobody else can make one or read an address out of it.
 */
import type { BackendHealth, SessionUnit } from "../../snapshot/snapshot.ts";
import { cookieValues, formatSetCookie, readSetCookie } from "./cookie.ts";

/** A keyed hash of at least 18 bytes, such as HMAC-SHA256 with the session key. */
export type Hmac = (bytes: Uint8Array) => Uint8Array;

/** 144 bits: 24 characters without padding, beyond guessing. */
const VALUE_BYTES = 18;
const VALUE = /^[\w-]{24}$/;
const encoder = new TextEncoder();

/** A backend of a pool. */
export interface SessionSubject {
  readonly poolId: string;
  readonly backendId: string;
}

/** The cookie value that stands for a backend: opaque, the same on every node, valid in its own pool only. */
export function signSession({ poolId, backendId }: SessionSubject, hmac: Hmac): string {
  const digest = hmac(encoder.encode(`fiberlb session 1\n${poolId}\n${backendId}`));
  if (digest.length < VALUE_BYTES)
    throw new RangeError(`Cannot sign sessions: hash has ${digest.length} bytes, not 18`);
  return Buffer.from(digest.subarray(0, VALUE_BYTES)).toString("base64url");
}

/** What {@link PoolSessions} are made of. */
export interface PoolSessionsOptions {
  readonly poolId: string;
  readonly session: SessionUnit;
  /** Also those that are down or drain. */
  readonly backendIds: readonly string[];
  /** The first one signs; cookies of all are understood, so that a rotated key ends no session. */
  readonly hmacs: readonly [Hmac, ...Hmac[]];
}

/** What is asked of a response that may begin or prolong a session. */
export interface SessionResponse {
  readonly backendId: string;
  /** Values of the Set-Cookie headers of the backend. */
  readonly setCookies: readonly string[];
  /** Whether the client is reached over TLS. */
  readonly secure: boolean;
  /** The session that the request had, see {@link PoolSessions.backendOf}. */
  readonly requestBackendId: string | undefined;
  /** Time since 1970. */
  readonly nowMs: number;
}

/**
 * The sessions of one pool; made anew when its backends or the keys change. Values are computed once for each backend,
 * so that a request costs a look-up and no hash; one that is not in the table is not ours.
 */
export class PoolSessions {
  readonly #session: SessionUnit;
  readonly #backendByValue = new Map<string, string>();
  readonly #valueByBackend = new Map<string, string>();

  constructor({ poolId, session, backendIds, hmacs }: PoolSessionsOptions) {
    this.#session = session;
    for (const backendId of backendIds) {
      const [current, ...older] = hmacs.map((hmac) => signSession({ poolId, backendId }, hmac));
      for (const value of [current as string, ...older]) this.#backendByValue.set(value, backendId);
      this.#valueByBackend.set(backendId, current as string);
    }
  }

  /** The cookie that the listener sets: the user's name, or with APP_COOKIE one derived from the backend's. */
  get cookieName(): string {
    return ownCookieName(this.#session);
  }

  /**
   * The backend that a request's session is with; undefined without a session, or with a cookie that is not ours or
   * names a backend that is gone. With APP_COOKIE a session lasts only while the client has the backend's cookie, too.
   *
   * @param cookies values of all Cookie headers.
   */
  backendOf(cookies: readonly string[]): string | undefined {
    if (cookies.length === 0) return undefined;
    const { type, cookieName } = this.#session;
    if (type === "APP_COOKIE" && cookieValues(cookies, cookieName).length === 0) return undefined;
    for (const value of cookieValues(cookies, this.cookieName)) {
      const backendId = VALUE.test(value) ? this.#backendByValue.get(value) : undefined;
      if (backendId !== undefined) return backendId;
    }
    return undefined;
  }

  /**
   * Value of the Set-Cookie header that a response gets in addition; undefined when it needs none. Not to be asked for
   * a detour: the client keeps its cookie, and with it its session.
   */
  setCookieFor(response: SessionResponse): string | undefined {
    const lifetime = this.#session.type === "LB_COOKIE" ? this.#lbCookie(response) : this.#appCookie(response);
    const value = this.#valueByBackend.get(response.backendId);
    if (lifetime === undefined || value === undefined) return undefined;
    return formatSetCookie({ name: this.cookieName, value, maxAgeS: lifetime, secure: response.secure });
  }

  /** A lifetime counts from the last response, so each one brings the cookie anew. */
  #lbCookie({ backendId, requestBackendId }: SessionResponse): number | undefined {
    const { timeoutS } = this.#session;
    return timeoutS > 0 || requestBackendId !== backendId ? timeoutS : undefined;
  }

  /** Comes and goes with the backend's own cookie. */
  #appCookie({ setCookies, nowMs }: SessionResponse): number | undefined {
    const { cookieName, timeoutS } = this.#session;
    const last = setCookies.map((header) => readSetCookie(header, nowMs)).findLast((one) => one?.name === cookieName);
    if (last === undefined) return undefined;
    return last.isRemoval ? -1 : timeoutS;
  }
}

/** Name of the cookie that the listener itself sets and must not pass on to backends. */
export const ownCookieName = ({ type, cookieName }: SessionUnit): string =>
  type === "LB_COOKIE" ? cookieName : `FIBERLB-${cookieName}`;

/** How the backend of a session does. */
export interface SessionBackend {
  readonly health: BackendHealth;
  /** Weight 0, administratively down, or removed: only what is there may go on, until the drain ends. */
  readonly isLeaving: boolean;
  /** Its drain time is over. */
  readonly hasLeft: boolean;
  /** It has all the connections that it may have. */
  readonly isFull: boolean;
}

/**
 * What becomes of a session: `keep` it; `detour`: let another backend answer this request without beginning a session
 * with it; `end`: choose anew, as for a new client.
 */
export type SessionDecision = "keep" | "detour" | "end";

/** A backend that drains keeps its sessions until the drain ends; one that is down, or has left, gives them up. */
export function decideSession({ health, isLeaving, hasLeft, isFull }: SessionBackend): SessionDecision {
  if (health === "OFFLINE" || (isLeaving && hasLeft)) return "end";
  return isFull ? "detour" : "keep";
}
