/** Runs `work` for 0 to `count` - 1, so many at a time; results in order. */
export async function inParallel<T>(
  { count, clients }: { readonly count: number; readonly clients: number },
  work: (index: number) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  let nextIndex = 0;
  const client = async (): Promise<void> => {
    while (nextIndex < count) {
      const index = nextIndex++;
      results[index] = await work(index);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return results;
}

/** The value below which that share of the samples lies; NaN of none. */
export function quantile(samples: readonly number[], fraction: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? Number.NaN;
}

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
