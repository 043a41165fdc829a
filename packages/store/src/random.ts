/** The only door to chance in this package: uniform in [0, 1). Tests pass a seeded source. */
export type Random = () => number;

/** The engine's own source; good enough for jitter, never for secrets. */
export const systemRandom: Random = () => Math.random();
