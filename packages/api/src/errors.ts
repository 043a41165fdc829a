import { Code, ConnectError } from "@connectrpc/connect";
import type { Violation, ViolationReason } from "@fiberlb/types";
import { describeViolations } from "@fiberlb/types";

import { BadRequestSchema } from "./gen/google/rpc/error_details_pb.ts";

/** The bad fields that an INVALID_ARGUMENT answer lists (google.rpc.BadRequest); empty for any other error. */
export function errorViolations(error: unknown): readonly Violation[] {
  if (!(error instanceof ConnectError)) return [];
  return error.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) =>
    fieldViolations.map(({ field, description, reason }) => ({
      field,
      description,
      reason: reason as ViolationReason,
    })),
  );
}

/** One line for people: what kind of failure, which field, why. `not found: listener 019a… does not exist`. */
export function describeError(error: unknown): string {
  if (!(error instanceof ConnectError)) return oneLine(error instanceof Error ? error.message : String(error));
  const violations = errorViolations(error);
  const why = violations.length > 0 ? describeViolations(violations) : error.rawMessage;
  return oneLine(why === "" ? codeWords(error.code) : `${codeWords(error.code)}: ${why}`);
}

/** `Code.NotFound` is `not found`. */
const codeWords = (code: Code): string =>
  Code[code].replace(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();

const oneLine = (text: string): string => text.replace(/\s*[\r\n]+\s*/g, " ").trim();
