/**
 * Which node should have a VIP. Pure: every node that knows the same candidates comes to the same order.
 */
import { createHash } from "node:crypto";

/**
 * Candidates in the order in which they should have the VIP, by highest random weight (Thaler and Ravishankar, 1996): a
 * node that goes gives its VIPs to all others alike, and moves none of theirs.
 */
export function rankNodes(vip: string, nodes: Iterable<string>): readonly string[] {
  return [...new Set(nodes)]
    .map((node) => ({ node, weight: weightOf(vip, node) }))
    .toSorted((a, b) => Buffer.compare(b.weight, a.weight) || (a.node < b.node ? -1 : 1))
    .map(({ node }) => node);
}

const weightOf = (vip: string, node: string): Buffer => createHash("sha256").update(`${vip}\n${node}`).digest();
