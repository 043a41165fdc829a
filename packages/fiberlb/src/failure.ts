/** An end that the user must hear of, in lines for them; no stack trace is wanted. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly lines: readonly string[];
  /** 1: refused or failed; 2: wrong usage. */
  readonly exitCode: 1 | 2;

  constructor(lines: string | readonly string[], exitCode: 1 | 2 = 1) {
    const all = typeof lines === "string" ? [lines] : lines;
    super(all.join("\n"));
    this.lines = all;
    this.exitCode = exitCode;
  }
}
