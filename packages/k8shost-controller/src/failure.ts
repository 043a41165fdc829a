import { Code, ConnectError } from "@connectrpc/connect";
import { describeError } from "@fiberlb/api";

import { describeOperation, type Operation } from "./operations.ts";
import type { Failure, Reason } from "./reason.ts";

/** A call of FiberLB's API that failed, with what it was for. */
export class OperationError extends Error {
  override readonly name = "OperationError";
  readonly operation: Operation;
  override readonly cause: unknown;

  constructor(operation: Operation, cause: unknown) {
    super(`cannot ${describeOperation(operation)}: ${describeError(cause)}`);
    this.operation = operation;
    this.cause = cause;
  }
}

/** Code of what a call threw; undefined for what is no answer of a server. */
export const codeOf = (error: unknown): Code | undefined => (error instanceof ConnectError ? error.code : undefined);

/** What the failure of a run means for its Service. */
export function failureOf(error: unknown): Failure {
  const operation = error instanceof OperationError ? error.operation : undefined;
  const cause = error instanceof OperationError ? error.cause : error;
  const reason = reasonOf(cause, operation);
  const message = error instanceof OperationError ? error.message : describeError(error);
  return { reason, message, isTransient: reason === "Unavailable" };
}

function reasonOf(cause: unknown, operation: Operation | undefined): Reason {
  switch (codeOf(cause)) {
    case Code.ResourceExhausted:
      return /VIP pool/.test(describeError(cause)) ? "VipPoolExhausted" : "QuotaExceeded";
    case Code.AlreadyExists:
      return "Conflict";
    case Code.InvalidArgument:
    case Code.FailedPrecondition:
    case Code.OutOfRange:
    case Code.Unimplemented:
      return "Refused";
    case Code.NotFound:
      // A VIP pool that does not exist; anything else that is gone will be seen with the next look.
      return operation?.type === "create" && operation.kind === "loadBalancer" ? "Refused" : "Unavailable";
    case Code.Unauthenticated:
    case Code.PermissionDenied:
      return "NotAllowed";
    default:
      return "Unavailable";
  }
}

/** Whether the server has said no to this very request, and would say so again. */
export function isRefusal(error: unknown): boolean {
  switch (codeOf(error)) {
    case Code.ResourceExhausted:
    case Code.AlreadyExists:
    case Code.InvalidArgument:
    case Code.FailedPrecondition:
      return true;
    default:
      return false;
  }
}
