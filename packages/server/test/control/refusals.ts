import { Code, ConnectError } from "@connectrpc/connect";
import { errorViolations } from "@fiberlb/api";
import { expect } from "@jest/globals";

/** The error of a call that must fail. */
export async function refusalOf(call: Promise<unknown>): Promise<ConnectError> {
  const outcome = await call.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if (!("error" in outcome)) throw new Error(`The call should have failed, and answered ${show(outcome.value)}`);
  if (outcome.error instanceof ConnectError) return outcome.error;
  throw outcome.error;
}

/** A call must fail with this code and with words that match. */
export async function expectRefusal(call: Promise<unknown>, code: Code, message: RegExp): Promise<void> {
  const error = await refusalOf(call);
  expect({ code: Code[error.code], message: error.rawMessage }).toEqual({
    code: Code[code],
    message: expect.stringMatching(message),
  });
}

/** A call must fail with INVALID_ARGUMENT for exactly these fields. */
export async function expectInvalid(call: Promise<unknown>, fields: readonly string[]): Promise<void> {
  const error = await refusalOf(call);
  expect({ code: Code[error.code], fields: errorViolations(error).map(({ field }) => field) }).toEqual({
    code: "InvalidArgument",
    fields: expect.arrayContaining([...fields]),
  });
  expect(errorViolations(error)).toHaveLength(fields.length);
}

const show = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) => (typeof inner === "bigint" ? String(inner) : inner));
