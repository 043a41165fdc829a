import { metaOf } from "../objects/kinds.ts";
import { podEndMs } from "../objects/rules-by-kind.ts";
import { forAll, type LoopParts, removeIfThere } from "./steps.ts";

/** Ends Pods whose grace period is over, whatever became of their agent. */
export async function reapPods(parts: LoopParts): Promise<number | undefined> {
  const nowMs = parts.clock.epochMs();
  // One that has finalizers goes with the last of them.
  const ending = [...parts.cache.view.pods.values()].filter(
    (pod) => metaOf(pod).deletionTimestamp !== undefined && metaOf(pod).finalizers.length === 0,
  );
  const isOver = ending.filter((pod) => podEndMs(pod) <= nowMs);
  await forAll(isOver, (pod) => removeIfThere(parts, pod));
  const next = Math.min(...ending.map(podEndMs).filter((endMs) => endMs > nowMs));
  return Number.isFinite(next) ? next - nowMs : undefined;
}
