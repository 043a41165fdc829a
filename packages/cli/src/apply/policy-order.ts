import type { PlanNode } from "./plan-node.ts";

/**
 * Positions, from 1, that policies have to be created at or moved to so that they end in the order of the file, those that
 * go behind. Policies that are in place already are not in the map. Carried out in the order of the nodes.
 */
export function policyOrder(nodes: readonly PlanNode[]): ReadonlyMap<PlanNode, number> {
  const wanted = nodes.filter(({ action }) => action !== "delete");
  const existing = nodes.filter(({ actual }) => actual !== undefined);
  let order = existing.toSorted((a, b) => place(a) - place(b));
  const positions = new Map<PlanNode, number>();
  wanted.forEach((node, index) => {
    if (order[index] === node) return;
    order = order.filter((other) => other !== node).toSpliced(index, 0, node);
    positions.set(node, index + 1);
  });
  return positions;
}

const place = ({ actual }: PlanNode): number => actual?.place ?? 0;
