import type { NodeSelectorTerm, Pod, PodAffinityTerm } from "@fiberlb/api/k8shost";

import { metaOf } from "../objects/kinds.ts";
import { hasLabels, type Labels, matchesExpressions, matchesSelector } from "../objects/selector.ts";
import { HOSTNAME_LABEL, type NodeRoom } from "./node-room.ts";

/** Labels that the node must have. */
export const matchesNodeSelector = (pod: Pod, labels: Labels): boolean =>
  hasLabels(labels, pod.spec?.nodeSelector ?? {});

/** One of the required terms must match; none: every node does. */
export function matchesNodeAffinity(pod: Pod, labels: Labels): boolean {
  const required = pod.spec?.affinity?.nodeAffinity?.required ?? [];
  return required.length === 0 || required.some((term) => matchesTerm(term, labels));
}

/** A term without expressions matches nothing, as in Kubernetes. */
const matchesTerm = ({ matchExpressions }: NodeSelectorTerm, labels: Labels): boolean =>
  matchExpressions.length > 0 && matchesExpressions(matchExpressions, labels);

/** Every required term must hold: beside a Pod that it selects, or first of those that it selects itself. */
export function holdsPodAffinity(pod: Pod, room: NodeRoom, rooms: readonly NodeRoom[]): boolean {
  const required = pod.spec?.affinity?.podAffinity?.required ?? [];
  return required.every((term) => {
    if (hasSelectedBeside(pod, term, { room, rooms })) return true;
    const isFirst = !rooms.some(({ pods }) => pods.some((other) => selects(pod, term, other)));
    return isFirst && selects(pod, term, pod) && topologyOf(term, room) !== undefined;
  });
}

/** No Pod that a required term selects is beside it, nor one whose own required term selects this Pod. */
export function holdsPodAntiAffinity(pod: Pod, room: NodeRoom, rooms: readonly NodeRoom[]): boolean {
  const own = pod.spec?.affinity?.podAntiAffinity?.required ?? [];
  if (own.some((term) => hasSelectedBeside(pod, term, { room, rooms }))) return false;
  return !rooms.some((other) =>
    other.repelling.some((neighbour) => {
      const terms = neighbour.spec?.affinity?.podAntiAffinity?.required ?? [];
      return terms.some((term) => selects(neighbour, term, pod) && isBeside(term, room, other));
    }),
  );
}

/** The sum of the weights that speak for the node, less those against. */
export function preference(pod: Pod, room: NodeRoom, rooms: readonly NodeRoom[]): number {
  const { nodeAffinity, podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {};
  let sum = 0;
  for (const { weight, term } of nodeAffinity?.preferred ?? [])
    if (term !== undefined && matchesTerm(term, room.labels)) sum += weight;
  for (const { weight, term } of podAffinity?.preferred ?? [])
    if (term !== undefined && hasSelectedBeside(pod, term, { room, rooms })) sum += weight;
  for (const { weight, term } of podAntiAffinity?.preferred ?? [])
    if (term !== undefined && hasSelectedBeside(pod, term, { room, rooms })) sum -= weight;
  return sum;
}

interface Site {
  readonly room: NodeRoom;
  readonly rooms: readonly NodeRoom[];
}

const hasSelectedBeside = (pod: Pod, term: PodAffinityTerm, { room, rooms }: Site): boolean =>
  rooms.some((other) => isBeside(term, room, other) && other.pods.some((neighbour) => selects(pod, term, neighbour)));

/** Nodes without the label are beside nothing. */
function isBeside(term: PodAffinityTerm, room: NodeRoom, other: NodeRoom): boolean {
  const topology = topologyOf(term, room);
  return topology !== undefined && topology === topologyOf(term, other);
}

const topologyOf = ({ topologyKey }: PodAffinityTerm, { labels }: NodeRoom): string | undefined =>
  labels[topologyKey === "" ? HOSTNAME_LABEL : topologyKey];

/** Of the same tenant and namespace only. */
function selects(owner: Pod, { labelSelector }: PodAffinityTerm, candidate: Pod): boolean {
  const [own, other] = [metaOf(owner), metaOf(candidate)];
  const isSamePlace =
    own.orgId === other.orgId && own.projectId === other.projectId && own.namespace === other.namespace;
  return isSamePlace && matchesSelector(labelSelector, other.labels);
}
