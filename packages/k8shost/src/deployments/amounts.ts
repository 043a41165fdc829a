import type { RollingUpdate } from "@fiberlb/api/k8shost";

/** How far a rollout may go from the wanted number of Pods. */
export interface RolloutBounds {
  /** Pods above the wanted number. */
  readonly maxSurge: number;
  /** Pods below it that may be unavailable. */
  readonly maxUnavailable: number;
}

const DEFAULT_AMOUNT = "25%";

/** `25%` or `3`; undefined for what is neither. */
export function parseAmount(text: string): { readonly value: number; readonly isPercent: boolean } | undefined {
  const [, digits, percent] = /^(\d{1,6})(%?)$/.exec(text) ?? [];
  return digits === undefined ? undefined : { value: Number(digits), isPercent: percent === "%" };
}

/**
 * Percentages of the surge round up, those of the unavailable down. When both come to 0, one Pod may be unavailable, because
 * nothing could ever be replaced otherwise.
 */
export function rolloutBounds(rolling: RollingUpdate | undefined, replicas: number): RolloutBounds {
  const maxSurge = resolve(rolling?.maxSurge, replicas, Math.ceil);
  const maxUnavailable = resolve(rolling?.maxUnavailable, replicas, Math.floor);
  return { maxSurge, maxUnavailable: maxSurge === 0 && maxUnavailable === 0 ? 1 : maxUnavailable };
}

function resolve(text: string | undefined, replicas: number, round: (value: number) => number): number {
  const amount = parseAmount(text || DEFAULT_AMOUNT);
  if (amount === undefined) return 0;
  return amount.isPercent ? round((amount.value * replicas) / 100) : amount.value;
}
