import { Code, ConnectError } from "@connectrpc/connect";

import type { Target } from "./target.ts";

/** Whether the daemon has no such service: it is of the other generation. */
export const isOtherGeneration = (error: unknown): boolean =>
  error instanceof ConnectError && error.code === Code.Unimplemented;

/**
 * Whether the daemon itself answered that it would not. Nearly all its refusals have the code Unknown; all that have to do with
 * the connection have others.
 */
export const isRefusal = (error: unknown): boolean =>
  error instanceof ConnectError &&
  (error.code === Code.Unknown || error.code === Code.InvalidArgument || error.code === Code.AlreadyExists);

/** The daemon's own words. */
export const wordsOf = (error: unknown): string =>
  error instanceof ConnectError ? error.rawMessage : error instanceof Error ? error.message : String(error);

/** Why the daemon can't be reached, and what to do, as a clause. */
export function explain(error: unknown, target: Target): string {
  const where = target.kind === "unix" ? target.path : target.baseUrl;
  const code = systemCode(error);
  if (target.kind === "unix") {
    if (code === "ENOENT") return `there is no socket ${where}: is gobgpd running with --api-hosts=unix://${where}?`;
    if (code === "ECONNREFUSED") {
      return `nobody listens on the socket ${where}, which a killed gobgpd left behind: remove the file and start gobgpd`;
    }
    if (code === "EACCES") return `no permission to connect to ${where}: only its owner and root may`;
  }
  if (code === "ECONNREFUSED") return `nobody listens at ${where}`;
  if (!(error instanceof ConnectError)) return wordsOf(error);
  if (error.code === Code.DeadlineExceeded) return "it does not answer";
  if (error.code === Code.Aborted || error.code === Code.Canceled) return "the connection was lost";
  return error.rawMessage;
}

/** The system's name of what went wrong, wherever it is in the chain of causes. */
function systemCode(error: unknown): string | undefined {
  for (let one: unknown = error; one instanceof Error; one = one.cause) {
    if ("code" in one && typeof one.code === "string") return one.code;
  }
  return undefined;
}
