import type { RolloutBounds } from "./amounts.ts";

/** A Pod of a Deployment that neither terminates nor has ended. */
export interface Replica {
  readonly name: string;
  /** Made of the template as it is now. */
  readonly isCurrent: boolean;
  /** Ready for long enough. */
  readonly isAvailable: boolean;
  readonly isScheduled: boolean;
  readonly createdMs: number;
}

/** What a rollout goes by. */
export interface RolloutInput {
  /** Wanted Pods. */
  readonly replicas: number;
  readonly bounds: RolloutBounds;
  readonly pods: readonly Replica[];
}

/** What to do now; what comes next is planned from what is there then. */
export interface RolloutStep {
  /** Pods to make of the current template. */
  readonly create: number;
  /** Names of Pods to end. */
  readonly remove: readonly string[];
}

/**
 * The next step from the Pods there are to the wanted number of the current template. Never takes away an available Pod when
 * fewer than replicas - maxUnavailable would be left, nor makes one when there would be more than replicas + maxSurge.
 *
 * Old Pods that are not available go first, but only so many that those left could still all be available: an old Pod that is not
 * ready for a moment is not given up for a new one that never was.
 */
export function planRollout({ replicas, bounds, pods }: RolloutInput): RolloutStep {
  const minAvailable = Math.max(0, replicas - bounds.maxUnavailable);
  const current = pods.filter(({ isCurrent }) => isCurrent).toSorted(leastWorthFirst);
  const old = pods.filter(({ isCurrent }) => !isCurrent).toSorted(leastWorthFirst);
  let spare = Math.max(0, pods.filter(({ isAvailable }) => isAvailable).length - minAvailable);
  const isFree = ({ isAvailable }: Replica): boolean => !isAvailable || spare-- > 0;

  const surplus = current.slice(0, Math.max(0, current.length - replicas)).filter(isFree);
  const kept = current.length - surplus.length;
  const startingUp =
    current.filter(({ isAvailable }) => !isAvailable).length - surplus.filter(({ isAvailable }) => !isAvailable).length;
  const givenUp = Math.max(0, kept + old.length - minAvailable - startingUp);
  const unavailable = old.filter(({ isAvailable }) => !isAvailable).slice(0, givenUp);
  const replaced = old.filter(({ isAvailable }) => isAvailable).filter(isFree);
  const remove = [...surplus, ...unavailable, ...replaced];

  const left = pods.length - remove.length;
  const create = Math.max(0, Math.min(replicas - kept, replicas + bounds.maxSurge - left));
  return { create, remove: remove.map(({ name }) => name) };
}

/** Those that serve nobody, then those without a node, then the youngest. */
function leastWorthFirst(a: Replica, b: Replica): number {
  return (
    Number(a.isAvailable) - Number(b.isAvailable) ||
    Number(a.isScheduled) - Number(b.isScheduled) ||
    b.createdMs - a.createdMs ||
    (a.name < b.name ? -1 : 1)
  );
}
