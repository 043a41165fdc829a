/** The only door to chance in this package: a number from 0 up to 1. */
export const systemRandom = (): number => Math.random();
