import { RE2JS, RE2JSException } from "re2js";

/**
 * Largest compiled expression, in instructions. `{n,m}` repeats its operand that often, so that a short text can become
 * a large program, and matching takes up to text × instructions steps.
 */
export const MAX_REGEX_INSTRUCTIONS = 1000;
/** Longest expression, in characters. */
export const MAX_REGEX_LENGTH = 1024;
/**
 * Steps that one match may take: 30 ms of an adversary's expression, measured. An ordinary one of 30 instructions
 * gets texts of 65,000 characters, the largest one those of 2,000.
 */
const MAX_STEPS = 2_000_000;

/** A user's expression on an engine whose time is linear in the text: no text stalls a thread. */
export interface RouteRegex {
  /** Whether the text has a match anywhere; undefined when the text is too long to be judged by this expression. */
  test(text: string): boolean | undefined;
}

/** An expression, or why there is none: a clause that follows the field's name. */
export type RegexResult =
  | { readonly ok: true; readonly value: RouteRegex }
  | { readonly ok: false; readonly problem: string };

/**
 * Compiles an expression of RE2's syntax: no back references and no look-around. It matches anywhere unless anchored
 * with `^` and `$`.
 */
export function compileRegex(text: string, { ignoreCase = false } = {}): RegexResult {
  if (text.length > MAX_REGEX_LENGTH) {
    return refuse(`must be a regular expression of at most ${MAX_REGEX_LENGTH} characters, not ${text.length}`);
  }
  try {
    const compiled = RE2JS.compile(text, ignoreCase ? RE2JS.CASE_INSENSITIVE : 0);
    const size = compiled.programSize();
    if (size > MAX_REGEX_INSTRUCTIONS) return refuse(tooLarge(size));
    const maxLength = Math.floor(MAX_STEPS / size);
    return {
      ok: true,
      value: { test: (subject) => (subject.length > maxLength ? undefined : compiled.test(subject)) },
    };
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    return refuse(`must be a regular expression in RE2 syntax: ${reason(error)}`);
  }
}

const refuse = (problem: string): RegexResult => ({ ok: false, problem });

const tooLarge = (size: number): string =>
  `must be a smaller regular expression: it compiles to ${size} instructions, at most ${MAX_REGEX_INSTRUCTIONS} are ` +
  "allowed; repeat less often in {n,m}";

/** The engine's message without its own name for itself, cut where it quotes the whole expression. */
function reason({ message }: Error): string {
  const clause = message.replace(/^error parsing regexp: /, "");
  return clause.length > 120 ? `${clause.slice(0, 116)}…` : clause;
}
