/** What came of one check. */
export interface Finding {
  /** What was looked at, in a word or two. */
  readonly check: string;
  /**
   * `ok`; `warning`: it works, but less well, or not for everything; `failed`: what is configured cannot work;
   * `skipped`: not needed, or not to be found out here.
   */
  readonly state: "ok" | "warning" | "failed" | "skipped";
  /** What was found, for people. */
  readonly found: string;
  /** What to do about it; only with `warning` and `failed`. */
  readonly fix?: string;
}

/** All is well. */
export const ok = (check: string, found: string): Finding => ({ check, state: "ok", found });

/** Not needed, or not known. */
export const skipped = (check: string, found: string): Finding => ({ check, state: "skipped", found });

/** It could be better. */
export const warning = (check: string, found: string, fix: string): Finding => ({
  check,
  state: "warning",
  found,
  fix,
});

/** It cannot work. */
export const failed = (check: string, found: string, fix: string): Finding => ({ check, state: "failed", found, fix });

/** A number with its thousands apart, as 1,048,576. */
export const grouped = (value: number): string => value.toLocaleString("en-US");
