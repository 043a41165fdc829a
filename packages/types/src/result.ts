/** Why a field was refused, for programs; the sentence for people is {@link Violation.description}. */
export type ViolationReason =
  | "REQUIRED"
  | "INVALID_TYPE"
  | "INVALID_FORMAT"
  | "OUT_OF_RANGE"
  | "TOO_LONG"
  | "TOO_MANY"
  | "NOT_ALLOWED"
  | "DUPLICATE"
  | "UNKNOWN_FIELD"
  | "IMMUTABLE"
  | "READ_ONLY"
  | "INVALID_COMBINATION"
  | "UNKNOWN_REFERENCE"
  | "ADDRESS_DENIED";

/** One bad field of a request; becomes a `google.rpc.BadRequest.FieldViolation`. */
export interface Violation {
  /** Protobuf path in snake_case: `http.expected_codes`, `pools[0].weight`, `tags["a"]`. */
  readonly field: string;
  /** What is wrong and what is allowed, without the field's name: `must be 1 to 65535, not 70000`. */
  readonly description: string;
  readonly reason: ViolationReason;
}

/** What a parser of one text answers: never throws, and the error is a clause that follows the field's name. */
export type ParseResult<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: string };

/** What checking a whole resource answers: the value, or every violation at once. */
export type CheckResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly violations: readonly Violation[] };

/** A parser's or checker's good answer. */
export const ok = <T>(value: T): { readonly ok: true; readonly value: T } => ({ ok: true, value });
/** A parser's bad answer. */
export const fail = (error: string): { readonly ok: false; readonly error: string } => ({ ok: false, error });

/** A value as it stands in a message: quoted when text, cut when long. */
export function show(value: unknown): string {
  switch (typeof value) {
    case "string":
      return value.length > 60 ? `${JSON.stringify(value.slice(0, 56))}…` : JSON.stringify(value);
    case "number":
    case "bigint":
    case "boolean":
      return String(value);
    case "object":
      return value === null ? "null" : Array.isArray(value) ? "a list" : "an object";
    default:
      return typeof value;
  }
}
