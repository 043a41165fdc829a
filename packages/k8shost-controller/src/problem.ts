/** Something in a Service that cannot be done as it stands. */
export interface Problem {
  /** Whole sentence without its end: `annotation fiberlb.io/algorithm must be one of …`. */
  readonly text: string;
}

/** A problem of an annotation. */
export const problemIn = (annotation: string, description: string): Problem => ({
  text: `annotation ${annotation} ${description}`,
});

/** A problem of a field of the spec. */
export const problemAt = (field: string, description: string): Problem => ({ text: `${field} ${description}` });

/** All of them in one line. */
export const describeProblems = (problems: readonly Problem[]): string =>
  [...new Set(problems.map(({ text }) => text))].join("; ");
