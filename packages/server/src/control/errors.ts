import { Code, ConnectError } from "@connectrpc/connect";
import { googleRpc } from "@fiberlb/api";
import { isStoreError, type StoreError } from "@fiberlb/store";
import { DomainError, type DomainErrorKind, StoredFormatError, type Violation } from "@fiberlb/types";

/** The only place that knows RPC codes. */
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

/**
 * What the client gets for an error. `unexpected` is called for those that no rule foresaw: the client learns only that
 * something went wrong, the log all.
 */
export function toConnectError(error: unknown, unexpected: (error: unknown) => void): ConnectError {
  if (error instanceof ConnectError) return error;
  if (error instanceof DomainError) return fromDomain(error);
  if (isStoreError(error)) return fromStore(error, unexpected);
  if (error instanceof StoredFormatError) return new ConnectError(error.message, Code.Unavailable);
  if (isAbort(error)) return ConnectError.from(error, Code.Canceled);
  unexpected(error);
  return new ConnectError("internal error; the server's log has the details", Code.Internal);
}

function fromDomain(error: DomainError): ConnectError {
  const code = CODES[error.kind];
  const headers = error.kind === "unauthenticated" ? { "www-authenticate": "Bearer" } : undefined;
  const details = error.detail.kind === "invalid" ? [badRequest(error.detail.violations)] : [];
  return new ConnectError(error.message, code, headers, details, error);
}

const badRequest = (violations: readonly Violation[]) => ({
  desc: googleRpc.BadRequestSchema,
  value: { fieldViolations: violations.map((violation) => ({ ...violation })) },
});

function fromStore(error: StoreError, unexpected: (error: unknown) => void): ConnectError {
  if (error.code === "INVALID") {
    unexpected(error);
    return new ConnectError("internal error; the server's log has the details", Code.Internal);
  }
  const what =
    error.code === "FULL"
      ? "the disk of the server's store is full: free some space there, nothing was written"
      : "the store is not available; try again";
  return new ConnectError(what, Code.Unavailable, undefined, undefined, error);
}

const isAbort = (error: unknown): boolean => error instanceof Error && error.name === "AbortError";
