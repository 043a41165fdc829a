import { randomUUID } from "node:crypto";

/** The only door to chance in this package. */
export interface Random {
  /** From 0 up to 1. */
  fraction(): number;
  /** Never the same twice. */
  uuid(): string;
}

/** The machine's own. */
export const systemRandom: Random = { fraction: () => Math.random(), uuid: () => randomUUID() };
