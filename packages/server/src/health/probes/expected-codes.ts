/** A list of status codes and ranges: `200`, `200,204`, `200-299`, and both mixed. */
const GRAMMAR = /^\d{3}(-\d{3})?(\s*,\s*\d{3}(-\d{3})?)*$/;

/**
 * Whether a status code is one of those expected. A text outside the grammar expects nothing: no code matches.
 *
 * @param expected `200`, `200,204`, `200-299` or a mix, as in `200-299,301`.
 */
export function isExpectedCode(code: number, expected: string): boolean {
  if (!GRAMMAR.test(expected)) return false;
  return expected.split(",").some((part) => {
    const [from = Number.NaN, to = from] = part.split("-").map(Number);
    return code >= from && code <= to;
  });
}
