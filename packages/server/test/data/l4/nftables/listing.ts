import type { Namespace } from "./testbed.ts";

/** All of our table as the kernel has it, in an order of its own: without handles and what was counted. */
export function listing(namespace: Namespace): string[] {
  const { nftables } = JSON.parse(namespace.exec("nft", "-j", "list", "ruleset")) as { nftables: unknown[] };
  const chainOf = (item: unknown): string => (item as { rule?: { chain: string } }).rule?.chain ?? "";
  const rules = nftables.filter((item) => chainOf(item) !== "");
  const others = nftables.filter((item) => chainOf(item) === "" && !("metainfo" in (item as object)));
  return [
    ...others.map(textOf).toSorted(),
    // Within a chain the order of rules counts; that of chains does not.
    ...rules.toSorted((a, b) => (chainOf(a) < chainOf(b) ? -1 : chainOf(a) > chainOf(b) ? 1 : 0)).map(textOf),
  ];
}

function textOf(item: unknown): string {
  return JSON.stringify(item, (name, value: unknown) => {
    if (name === "handle" || name === "counter") return undefined;
    return name === "elem" && Array.isArray(value)
      ? value.map((one) => JSON.stringify(one, dropCounts)).toSorted()
      : value;
  });
}

const dropCounts = (name: string, value: unknown): unknown => (name === "counter" ? undefined : value);
