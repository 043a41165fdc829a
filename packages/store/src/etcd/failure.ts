import { Code, ConnectError } from "@connectrpc/connect";

import { StoreError } from "../errors.ts";

/**
 * What an attempt's failure allows to do next.
 *
 * - `refused`: the cluster's considered answer; asking again would get the same one.
 * - `unsent`: surely nothing was done: no connection, or turned away at the door. Any request may be made again.
 * - `lost`: the connection or the answer was lost; what was asked may have been done, or may still be. Only a request
 *   that may be done twice can be made again.
 * - `unauthenticated`: turned away for its token; anything may be made again with a new one.
 */
export type FailureKind = "refused" | "unsent" | "lost" | "unauthenticated";

/** One attempt's failure. */
export interface Failure {
  readonly kind: FailureKind;
  readonly error: unknown;
}

/** No connection was made, so nothing was asked. */
export class NotConnected extends Error {
  override readonly name = "NotConnected";
}

/** A member was silent for too long. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

/** Answers of a member that did nothing, by their text: their codes are shared with others. */
const TURNED_AWAY = /etcdserver: (no leader|too many requests|rpc not supported for learner|not capable)/;
const TOKEN_REFUSED = /invalid auth token|user name is empty|revision of auth store is old/;
/** RFC 9113, section 8.7: a stream that is refused has not been processed. */
const REFUSED_STREAM = /REFUSED_STREAM/;
/** Only a connection that is being made fails with these. */
const CONNECT_ERRORS = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EAI_NODATA", "EAI_NONAME"]);

/** Codes of answers that a member gives after it has looked at the request. */
const CONSIDERED = new Set([
  Code.InvalidArgument,
  Code.NotFound,
  Code.AlreadyExists,
  Code.FailedPrecondition,
  Code.OutOfRange,
  Code.PermissionDenied,
  Code.ResourceExhausted,
  Code.DataLoss,
  Code.Unimplemented,
]);

/** Whether this is etcd's way to ask for another token. */
export const isTokenRefusal = (text: string): boolean => TOKEN_REFUSED.test(text);

/** Sorts a failed attempt. */
export function classify(error: unknown): Failure {
  return { kind: kindOf(error), error };
}

function kindOf(error: unknown): FailureKind {
  if (error instanceof StoreError) return "refused";
  if (error instanceof NotConnected) return "unsent";
  if (!(error instanceof ConnectError)) return "lost";
  const { code, rawMessage } = error;
  if (TURNED_AWAY.test(rawMessage) || REFUSED_STREAM.test(rawMessage)) return "unsent";
  if (isTokenRefusal(rawMessage)) return "unauthenticated";
  if (CONNECT_ERRORS.has(systemCode(error) ?? "")) return "unsent";
  return CONSIDERED.has(code) ? "refused" : "lost";
}

/** A cluster's refusal in the contract's terms. `what` was asked: "the transaction". */
export function refusal(what: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const text = reason(error);
  const cause = { cause: error };
  if (/database space exceeded/.test(text)) {
    const todo = "compact and defragment it, raise --quota-backend-bytes if need be, then: etcdctl alarm disarm";
    return new StoreError("FULL", `etcd refuses ${what}: its database is full; ${todo}`, cause);
  }
  if (error instanceof ConnectError) {
    if (error.code === Code.DataLoss) return new StoreError("CORRUPT", `etcd refuses ${what}: ${text}`, cause);
    if ([Code.InvalidArgument, Code.ResourceExhausted].includes(error.code))
      return new StoreError("INVALID", `etcd refuses ${what}: ${text}`, cause);
  }
  return new StoreError("UNAVAILABLE", `etcd refuses ${what}: ${text}`, cause);
}

/** Why an attempt failed, in few words. */
export function reason(error: unknown): string {
  if (error instanceof ConnectError) {
    const code = systemCode(error);
    return code === undefined || error.rawMessage.includes(code) ? error.rawMessage : `${error.rawMessage} (${code})`;
  }
  return error instanceof Error ? error.message : String(error);
}

function systemCode({ cause }: ConnectError): string | undefined {
  return cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined;
}
