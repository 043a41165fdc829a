import { timestampMs } from "@bufbuild/protobuf/wkt";
import { ConditionStatus, type Node } from "@fiberlb/api/k8shost";

import { metaOf } from "../objects/kinds.ts";
import { isTrue, withCondition } from "../objects/life.ts";
import { HEARTBEAT_TIMEOUT_MS, READY } from "../objects/nodes.ts";
import { forAll, type LoopParts, writeFromView } from "./steps.ts";

interface Sighting {
  /** As the node's status says it. */
  readonly heartbeatMs: number;
  /** When it was first seen here, by this process's own clock: clocks of hosts differ. */
  readonly seenMs: number;
}

/** Finds nodes that no longer report. After a start every node has its full time again. */
export class NodeMonitor {
  readonly #parts: LoopParts;
  readonly #sightings = new Map<string, Sighting>();

  constructor(parts: LoopParts) {
    this.#parts = parts;
  }

  async run(): Promise<number | undefined> {
    const { cache, clock } = this.#parts;
    const nowMs = clock.nowMs();
    const ready = [...cache.view.nodes.values()].filter(({ status }) => isTrue(status?.conditions, READY));
    const ages = new Map(ready.map((node) => [node, nowMs - this.#see(node, nowMs)]));
    const lost = ready.filter((node) => (ages.get(node) ?? 0) >= HEARTBEAT_TIMEOUT_MS);
    await forAll(lost, (node) => this.#mark(node));
    const left = [...ages.values()].map((ageMs) => HEARTBEAT_TIMEOUT_MS - ageMs).filter((ms) => ms > 0);
    return left.length === 0 ? undefined : Math.min(...left);
  }

  #see(node: Node, nowMs: number): number {
    const { name } = metaOf(node);
    const time = node.status?.lastHeartbeatTime;
    const heartbeatMs = time === undefined ? 0 : timestampMs(time);
    const known = this.#sightings.get(name);
    if (known?.heartbeatMs === heartbeatMs) return known.seenMs;
    this.#sightings.set(name, { heartbeatMs, seenMs: nowMs });
    return nowMs;
  }

  async #mark(node: Node): Promise<void> {
    const epochMs = this.#parts.clock.epochMs();
    const lost = {
      type: READY,
      status: ConditionStatus.UNKNOWN,
      reason: "HeartbeatLost",
      message: `no heartbeat for ${HEARTBEAT_TIMEOUT_MS / 1000} s`,
    };
    await writeFromView(this.#parts, this.#parts.nodes, {
      object: node,
      edit: ({ status }) => {
        if (status !== undefined) status.conditions = withCondition(status.conditions, lost, epochMs);
      },
    });
  }
}
