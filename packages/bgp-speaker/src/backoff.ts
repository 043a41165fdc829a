import type { Random } from "./random.ts";

const FIRST_MS = 50;
const LAST_MS = 1000;

/** How long to wait after so many failures in a row (0 is the first): doubling from 50 ms to 1 s, less up to half by chance. */
export const backoffMs = (failures: number, random: Random): number =>
  Math.min(LAST_MS, FIRST_MS * 2 ** Math.min(failures, 10)) * (1 - random() / 2);
