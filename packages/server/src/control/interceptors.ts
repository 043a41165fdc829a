import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { DomainError } from "@fiberlb/types";

import type { Clock } from "../clock.ts";
import type { Authenticator } from "./auth/authenticator.ts";
import { tenantKey } from "./auth/tenant.ts";
import { toConnectError } from "./errors.ts";

/** One RPC that ended, for the log and the metrics. */
export interface ApiCall {
  /** `fiberlb.v1.PoolService/CreatePool`. */
  readonly method: string;
  /** `ok`, or the RPC code in lower snake case: `not_found`. */
  readonly code: string;
  readonly durationMs: number;
  /** What the client was told; absent when all was well. */
  readonly message?: string;
}

/** Knows every call's tenant before its handler runs. Services in `open` need none. */
export function authInterceptor(authenticator: Authenticator, open: ReadonlySet<string>): Interceptor {
  return (next) => async (req) => {
    if (!open.has(req.service.typeName)) {
      req.contextValues.set(tenantKey, await authenticator.authenticate(req.header));
    }
    return next(req);
  };
}

/** Answers UNAVAILABLE, with the reason, for as long as there is one. Services in `open` are served all the same. */
export function gateInterceptor(whyClosed: () => string | undefined, open: ReadonlySet<string>): Interceptor {
  return (next) => async (req) => {
    const reason = open.has(req.service.typeName) ? undefined : whyClosed();
    if (reason !== undefined) throw new DomainError({ kind: "unavailable" }, reason);
    return next(req);
  };
}

/** Turns whatever a handler throws, at once or in a stream, into what the client gets. */
export function errorInterceptor(unexpected: (error: unknown, method: string) => void): Interceptor {
  return (next) => async (req) => {
    const translate = (error: unknown): ConnectError =>
      toConnectError(deadlineOr(error, req.signal), (cause) => unexpected(cause, req.method.name));
    try {
      const response = await next(req);
      return response.stream ? { ...response, message: translated(response.message, translate) } : response;
    } catch (error) {
      throw translate(error);
    }
  };
}

/** A deadline, or a client that left, reaches a handler as the AbortError of what it waited for: the signal knows why. */
function deadlineOr(error: unknown, signal: AbortSignal): unknown {
  return signal.aborted && error instanceof Error && error.name === "AbortError" ? signal.reason : error;
}

async function* translated<T>(
  messages: AsyncIterable<T>,
  translate: (error: unknown) => ConnectError,
): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    throw translate(error);
  }
}

/** Tells of every call when it has ended, streams included. */
export function observingInterceptor(clock: Clock, onCall: (call: ApiCall) => void): Interceptor {
  return (next) => async (req) => {
    const startMs = clock.nowMs();
    const method = `${req.service.typeName}/${req.method.name}`;
    const done = (error?: unknown): void => onCall({ method, ...outcome(error), durationMs: clock.nowMs() - startMs });
    try {
      const response = await next(req);
      if (response.stream) return { ...response, message: observed(response.message, done) };
      done();
      return response;
    } catch (error) {
      done(error);
      throw error;
    }
  };
}

function outcome(error: unknown): Pick<ApiCall, "code" | "message"> {
  if (error === undefined) return { code: "ok" };
  const { code, rawMessage } = ConnectError.from(error);
  return { code: Code[code].replace(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toLowerCase(), message: rawMessage };
}

async function* observed<T>(messages: AsyncIterable<T>, done: (error?: unknown) => void): AsyncIterable<T> {
  let failure: unknown;
  try {
    yield* messages;
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    done(failure);
  }
}
