/**
 * How a load balancer stands on this node's disk: a line that says what the file is, then every entity that it was made
 * of, one a line, as the store keeps it. Private keys are as in the store, too: sealed.
 */
import {
  type Certificate,
  decodeEntity,
  encodeEntity,
  type Entities,
  type LoadBalancer,
  type ResourceKind,
  type VipPool,
} from "@fiberlb/types";

import type { DrainOrder } from "../repository/maintenance.ts";
import type { UnitSource } from "../snapshot/compile.ts";

/** Rises when an older release could not read it. */
const FORMAT = 1;
const HEAD = { what: "load balancer as applied last", format: FORMAT };

/** A load balancer with what is below it, and the certificates that it names. */
export interface SavedTree {
  readonly tree: UnitSource;
  readonly certificates: readonly Certificate[];
}

const LISTS = {
  listener: "listeners",
  pool: "pools",
  backend: "backends",
  healthCheck: "healthChecks",
  l7Policy: "l7Policies",
  l7Rule: "l7Rules",
} as const satisfies Partial<Record<ResourceKind, keyof UnitSource>>;
type ListedKind = keyof typeof LISTS;

/** Equal trees give equal bytes. */
export function encodeTree({ tree, certificates }: SavedTree): Buffer {
  const lines: Uint8Array[] = [Buffer.from(JSON.stringify(HEAD)), encodeEntity("loadBalancer", tree.loadBalancer)];
  for (const [kind, list] of Object.entries(LISTS) as [ListedKind, (typeof LISTS)[ListedKind]][])
    for (const entity of tree[list]) lines.push(encodeEntity(kind, entity));
  for (const certificate of certificates) lines.push(encodeEntity("certificate", certificate));
  return Buffer.concat(lines.flatMap((line) => [line, LINE_END]));
}

const LINE_END = Buffer.from("\n");

/** @throws Error, StoredFormatError: what cannot be read, and why */
export function decodeTree(content: Buffer): SavedTree {
  const [head = "", ...lines] = content.toString("utf8").trimEnd().split("\n");
  checkHead(head);
  const byKind = Map.groupBy(lines, kindOf);
  const all = <K extends ResourceKind>(kind: K): Entities[K][] =>
    (byKind.get(kind) ?? []).map((line) => decodeEntity(kind, Buffer.from(line)));
  const [loadBalancer] = all("loadBalancer");
  if (loadBalancer === undefined) throw new Error("no load balancer is in it");
  return { tree: treeOf(loadBalancer, all), certificates: all("certificate") };
}

function treeOf(loadBalancer: LoadBalancer, all: <K extends ResourceKind>(kind: K) => Entities[K][]): UnitSource {
  return {
    loadBalancer,
    listeners: all("listener"),
    pools: all("pool"),
    backends: all("backend"),
    healthChecks: all("healthCheck"),
    l7Policies: all("l7Policy"),
    l7Rules: all("l7Rule"),
  };
}

function checkHead(line: string): void {
  const { what, format } = JSON.parse(line) as Partial<typeof HEAD>;
  if (what !== HEAD.what) throw new Error("it is no load balancer");
  if (format !== FORMAT) throw new Error(`it has format ${format}, this release reads ${FORMAT}`);
}

const kindOf = (line: string): string => (JSON.parse(line) as { readonly kind: string }).kind;

/** What a node knows besides load balancers. */
export interface SavedNode {
  /** What DNS names of backends stand for. */
  readonly addresses: readonly (readonly [name: string, address: string])[];
  /** That this node is to be out of service; absent: it is not. */
  readonly drain?: DrainOrder | undefined;
  /** They say how VIPs are announced. */
  readonly vipPools: readonly VipPool[];
}

/** Nothing is known. */
export const NO_KNOWLEDGE: SavedNode = { addresses: [], vipPools: [] };

/** Equal knowledge gives equal bytes. */
export function encodeNode({ addresses, drain, vipPools }: SavedNode): Buffer {
  const node: SavedNode = {
    addresses: addresses.toSorted(([a], [b]) => (a < b ? -1 : 1)),
    drain,
    vipPools: vipPools.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
  };
  return Buffer.from(JSON.stringify(node));
}

/** @throws SyntaxError */
export const decodeNode = (content: Buffer): SavedNode => JSON.parse(content.toString("utf8")) as SavedNode;
