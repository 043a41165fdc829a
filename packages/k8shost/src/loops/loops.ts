import type { Log, Random } from "@fiberlb/k8shost-controller";

import type { Change } from "../objects/cache.ts";
import type { Strategy } from "../scheduler/decide.ts";
import { keepDeployments } from "./deployment-controller.ts";
import { evictPods } from "./evictor.ts";
import { Loop } from "./loop.ts";
import { NodeMonitor } from "./node-monitor.ts";
import { reapPods } from "./pod-reaper.ts";
import { schedule } from "./scheduler.ts";
import type { LoopParts } from "./steps.ts";

/** How the loops behave. */
export interface LoopSettings {
  readonly random: Random;
  readonly log: Log;
  readonly strategy: Strategy;
}

/** Everything that the host keeps true by itself; nothing runs before `start`. */
export function createLoops(parts: LoopParts, { random, log, strategy }: LoopSettings): readonly Loop[] {
  const monitor = new NodeMonitor(parts);
  const of =
    (...kinds: Change["plural"][]) =>
    ({ plural }: Change): boolean =>
      kinds.includes(plural);
  const shared = { cache: parts.cache, clock: parts.clock, log };
  return [
    new Loop({ ...shared, name: "watch of heartbeats", concerns: of("nodes"), run: () => monitor.run() }),
    new Loop({ ...shared, name: "eviction of Pods", concerns: of("nodes", "pods"), run: () => evictPods(parts) }),
    new Loop({ ...shared, name: "scheduler", concerns: of("nodes", "pods"), run: () => schedule(parts, strategy) }),
    new Loop({
      ...shared,
      name: "Deployment controller",
      concerns: of("deployments", "pods"),
      run: () => keepDeployments(parts, random),
    }),
    new Loop({ ...shared, name: "end of Pods", concerns: of("pods"), run: () => reapPods(parts) }),
  ];
}
