import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Node, Pod } from "@fiberlb/api/k8shost";

import { metaOf } from "../objects/kinds.ts";
import {
  holdsPodAffinity,
  holdsPodAntiAffinity,
  matchesNodeAffinity,
  matchesNodeSelector,
  preference,
} from "./affinity.ts";
import { NodeRoom } from "./node-room.ts";
import { hasEnded, podRequests } from "./requests.ts";

/**
 * Where a Pod goes among nodes that it fits on and likes equally well: `spread` takes the one with the fewest Pods of the same
 * Deployment, then the emptiest; `pack` the fullest, so that others stay empty.
 */
export type Strategy = "spread" | "pack";

/** What becomes of a pending Pod: a node, or the reason why none. */
export type Decision = { readonly pod: Pod } & ({ readonly nodeName: string } | { readonly reason: string });

/** Places all pending Pods, oldest first, each as if the ones before were there already. Depends on its arguments alone. */
export function decide(
  pods: Iterable<Pod>,
  nodes: Iterable<Node>,
  { strategy }: { readonly strategy: Strategy },
): Decision[] {
  const rooms = Array.from(nodes, (node) => new NodeRoom(node)).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const byName = new Map(rooms.map((room) => [room.name, room]));
  const pending: Pod[] = [];
  for (const pod of pods) {
    if (hasEnded(pod)) continue;
    const nodeName = pod.spec?.nodeName ?? "";
    if (nodeName !== "") byName.get(nodeName)?.add(pod);
    else if (metaOf(pod).deletionTimestamp === undefined) pending.push(pod);
  }
  return pending.toSorted(byAge).map((pod) => {
    const fitting = rooms.filter((room) => whyNot(pod, room, rooms).length === 0);
    const best = choose(pod, { fitting, rooms, strategy });
    if (best === undefined) return { pod, reason: describeRefusals(pod, rooms) };
    best.add(pod);
    return { pod, nodeName: best.name };
  });
}

/** What keeps the Pod from the node. */
function whyNot(pod: Pod, room: NodeRoom, rooms: readonly NodeRoom[]): string[] {
  if (!room.isReady) return ["not ready"];
  if (room.isUnschedulable) return ["unschedulable"];
  if (!matchesNodeSelector(pod, room.labels)) return ["without the labels of node_selector"];
  if (!matchesNodeAffinity(pod, room.labels)) return ["not matching node_affinity"];
  const wanted = podRequests(pod);
  const lacking: string[] = [];
  if (room.pods.length >= room.maxPods) lacking.push("with too many Pods");
  if (room.lacks("cpuMillis", wanted)) lacking.push("with too little CPU");
  if (room.lacks("memoryBytes", wanted)) lacking.push("with too little memory");
  if (lacking.length > 0) return lacking;
  if (!holdsPodAffinity(pod, room, rooms)) return ["not beside the Pods of pod_affinity"];
  if (!holdsPodAntiAffinity(pod, room, rooms)) return ["beside Pods that pod_anti_affinity keeps apart"];
  return [];
}

interface Choice {
  readonly fitting: readonly NodeRoom[];
  readonly rooms: readonly NodeRoom[];
  readonly strategy: Strategy;
}

/** Preferences come first, then the strategy, then the name, so that the same question has the same answer. */
function choose(pod: Pod, { fitting, rooms, strategy }: Choice): NodeRoom | undefined {
  let best: { readonly room: NodeRoom; readonly rank: readonly number[] } | undefined;
  for (const room of fitting) {
    const siblings = siblingsOn(pod, room);
    const order = strategy === "spread" ? [-siblings, -room.fullness] : [room.fullness, -siblings];
    const rank = [preference(pod, room, rooms), ...order];
    if (best === undefined || isHigher(rank, best.rank)) best = { room, rank };
  }
  return best?.room;
}

function isHigher(rank: readonly number[], other: readonly number[]): boolean {
  for (const [index, value] of rank.entries()) {
    const difference = value - (other[index] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

function siblingsOn(pod: Pod, { pods }: NodeRoom): number {
  const uid = metaOf(pod).owner?.uid;
  return uid === undefined ? 0 : pods.filter((other) => metaOf(other).owner?.uid === uid).length;
}

/** `0 of 3 nodes fit: 1 not ready, 2 with too little CPU (1500m requested)`. */
function describeRefusals(pod: Pod, rooms: readonly NodeRoom[]): string {
  if (rooms.length === 0) return "there are no nodes";
  const counts = new Map<string, number>();
  for (const room of rooms) {
    for (const why of whyNot(pod, room, rooms)) counts.set(why, (counts.get(why) ?? 0) + 1);
  }
  const { cpuMillis, memoryBytes } = podRequests(pod);
  const amounts: Readonly<Record<string, string>> = {
    "with too little CPU": ` (${cpuMillis}m requested)`,
    "with too little memory": ` (${memoryBytes} bytes requested)`,
  };
  const parts = [...counts]
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([why, count]) => `${count} ${why}${amounts[why] ?? ""}`);
  return `0 of ${rooms.length} nodes fit: ${parts.join(", ")}`;
}

function byAge(a: Pod, b: Pod): number {
  const [first, second] = [metaOf(a), metaOf(b)];
  const ageMs =
    (first.createdAt ? timestampMs(first.createdAt) : 0) - (second.createdAt ? timestampMs(second.createdAt) : 0);
  return ageMs !== 0 ? ageMs : first.uid < second.uid ? -1 : 1;
}
