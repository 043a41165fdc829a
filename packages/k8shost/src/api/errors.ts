import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { googleRpc } from "@fiberlb/api";
import { isStoreError } from "@fiberlb/store";
import { DomainError, type DomainErrorKind, type Violation } from "@fiberlb/types";

/** The only place that knows RPC codes of refusals. */
const CODES: Readonly<Record<DomainErrorKind, Code>> = {
  invalid: Code.InvalidArgument,
  "not-found": Code.NotFound,
  "already-exists": Code.AlreadyExists,
  "failed-precondition": Code.FailedPrecondition,
  aborted: Code.Aborted,
  exhausted: Code.ResourceExhausted,
  unauthenticated: Code.Unauthenticated,
  "permission-denied": Code.PermissionDenied,
  unavailable: Code.Unavailable,
};

/** An error that no rule foresaw: the client learns only that something went wrong, the log all. */
export type OnUnexpected = (error: unknown, method: string) => void;

/** Turns whatever a handler throws, at once or in a stream, into what the client gets. */
export function errorInterceptor(onUnexpected: OnUnexpected): Interceptor {
  return (next) => async (req) => {
    const translate = (error: unknown): ConnectError => {
      // A client that left, or a deadline, reaches a handler as the AbortError of what it waited for: the signal knows why.
      const isAbort = req.signal.aborted && error instanceof Error && error.name === "AbortError";
      return toConnectError(isAbort ? req.signal.reason : error, (cause) => onUnexpected(cause, req.method.name));
    };
    try {
      const response = await next(req);
      return response.stream ? { ...response, message: translated(response.message, translate) } : response;
    } catch (error) {
      throw translate(error);
    }
  };
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

/** What the client gets for an error. */
export function toConnectError(error: unknown, onUnexpected: (error: unknown) => void): ConnectError {
  if (error instanceof ConnectError) return error;
  if (error instanceof DomainError) return fromDomain(error);
  if (error instanceof Error && error.name === "AbortError") return ConnectError.from(error, Code.Canceled);
  if (isStoreError(error) && error.code !== "INVALID") {
    const what =
      error.code === "FULL"
        ? "the disk of the server's store is full: free some space there, nothing was written"
        : "the store is not available; try again";
    return new ConnectError(what, Code.Unavailable, undefined, undefined, error);
  }
  onUnexpected(error);
  return new ConnectError("internal error; the server's log has the details", Code.Internal);
}

function fromDomain(error: DomainError): ConnectError {
  const headers = error.kind === "unauthenticated" ? { "www-authenticate": "Bearer" } : undefined;
  const details = error.detail.kind === "invalid" ? [badRequest(error.detail.violations)] : [];
  return new ConnectError(error.message, CODES[error.kind], headers, details, error);
}

const badRequest = (violations: readonly Violation[]) => ({
  desc: googleRpc.BadRequestSchema,
  value: { fieldViolations: violations.map((violation) => ({ ...violation })) },
});
