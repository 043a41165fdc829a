import type { PolicyUnit, RuleUnit } from "../../../src/snapshot/snapshot.ts";

/** A rule of SNI; equal to its value unless said otherwise. */
export const sni = (part: Partial<RuleUnit>): RuleUnit => ({
  id: "rule",
  type: "SNI",
  compareType: "EQUAL_TO",
  value: "",
  invert: false,
  ...part,
});

/** A policy that leads to a pool. */
export const poolPolicy = (poolId: string, ...rules: readonly RuleUnit[]): PolicyUnit => ({
  id: `policy of ${poolId}`,
  name: `to ${poolId}`,
  rules,
  action: { type: "REDIRECT_TO_POOL", pools: [{ poolId, weight: 1 }], setRequestHeaders: [] },
  setResponseHeaders: [],
});
