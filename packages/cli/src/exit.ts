import { Code, ConnectError } from "@connectrpc/connect";
import { describeError } from "@fiberlb/api";

/** Exit code when the server refused or a check failed. */
export const EXIT_REFUSED = 1;
/** Exit code of wrong usage. */
export const EXIT_USAGE = 2;

/** Ends a command with a code; the message, if any, is one line for standard error. */
export class CliExit extends Error {
  override readonly name = "CliExit";
  /** 0 done, 1 refused or failed, 2 wrong usage, 3 differences (`apply --dry-run --exit-code`). */
  readonly exitCode: number;

  constructor(exitCode: number, message = "", options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** What the person typed cannot be meant. */
export const usageError = (message: string): CliExit => new CliExit(EXIT_USAGE, message);

/** The command was understood and could not be done. */
export const refusal = (message: string): CliExit => new CliExit(EXIT_REFUSED, message);

/** Any error as the end of a command: its code and one line for people. */
export function toCliExit(error: unknown, server: string): CliExit {
  if (error instanceof CliExit) return error;
  if (isRefusedConnection(error)) {
    const hint = "is `fiberlb serve` running? set --server or FIBERLB_SERVER";
    return new CliExit(EXIT_REFUSED, `cannot reach ${server}: connection refused; ${hint}`, { cause: error });
  }
  return new CliExit(EXIT_REFUSED, describeError(error), { cause: error });
}

/** The connection's own failure stands somewhere in the chain of causes. */
function isRefusedConnection(error: unknown): boolean {
  if (error instanceof ConnectError && error.code !== Code.Unavailable) return false;
  if (typeof error !== "object" || error === null) return false;
  const { code, cause, errors } = error as Readonly<Record<string, unknown>>;
  if (code === "ECONNREFUSED" || isRefusedConnection(cause)) return true;
  return Array.isArray(errors) && errors.some(isRefusedConnection);
}
