import type { Config } from "./schema.ts";

type ConfiguredPool = NonNullable<Config["vipPools"]>[number];

/** Configured pools as the API would take them: enum values in capitals. */
export function vipPoolSpecs(pools: readonly ConfiguredPool[]): readonly object[] {
  return pools.map(({ announce, bgp, ...pool }) => ({
    ...pool,
    ...(announce !== undefined && { announce: withCapitals(announce, "kind") }),
    ...(bgp !== undefined && { bgp: withCapitals(bgp, "whenAllDown") }),
  }));
}

function withCapitals<K extends string>(value: { readonly [key in K]?: string | undefined }, key: K): object {
  const name = value[key];
  return name === undefined ? value : { ...value, [key]: name.toUpperCase() };
}
