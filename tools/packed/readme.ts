/** A piece of TypeScript in a README. */
export interface Example {
  /** Line of its first line of code. */
  line: number;
  code: string;
  /** Marked "ts no-run": it is only type-checked, because it would never end or needs another program. */
  runs: boolean;
}

/** The code blocks of a README that are marked `ts`, or `ts no-run`. */
export function examples(markdown: string): Example[] {
  return [...markdown.matchAll(/^```ts( no-run)?\n([\s\S]*?)^```$/gm)].map((match) => ({
    line: markdown.slice(0, match.index).split("\n").length + 1,
    code: match[2] as string,
    runs: match[1] === undefined,
  }));
}
