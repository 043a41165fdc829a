/** The only door to chance: a number from 0 up to, but not including, 1. */
export type Random = () => number;

/** Chance of the machine. */
export const systemRandom: Random = () => Math.random();
