import type { Violation, ViolationReason } from "@fiberlb/types";

/** Collects what is wrong with a request, under the path of what is being looked at. */
export class Violations {
  readonly #all: Violation[] = [];

  get all(): readonly Violation[] {
    return this.#all;
  }

  add(field: string, reason: ViolationReason, description: string): void {
    this.#all.push({ field, reason, description });
  }

  require(isGiven: boolean, field: string): void {
    if (!isGiven) this.add(field, "REQUIRED", "is required");
  }

  /** Whole numbers in a range. */
  within(value: number, field: string, { min, max }: { readonly min: number; readonly max: number }): void {
    if (value < min || value > max) this.add(field, "OUT_OF_RANGE", `must be ${min} to ${max}, not ${value}`);
  }

  /** Lists and maps. */
  atMost(count: number, field: string, max: number): void {
    if (count > max) this.add(field, "TOO_MANY", `must have at most ${max} entries, not ${count}`);
  }

  /** Texts; counted in characters. */
  short(text: string, field: string, max: number): void {
    if (text.length > max) this.add(field, "TOO_LONG", `must have at most ${max} characters, not ${text.length}`);
  }

  /** Each value once; empty ones do not count. */
  unique(values: readonly string[], fieldOf: (index: number) => string): void {
    const seen = new Set<string>();
    for (const [index, value] of values.entries()) {
      if (value !== "" && seen.has(value))
        this.add(fieldOf(index), "DUPLICATE", `${JSON.stringify(value)} is there twice`);
      seen.add(value);
    }
  }
}
