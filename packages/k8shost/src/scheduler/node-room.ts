import type { Node, Pod } from "@fiberlb/api/k8shost";

import { metaOf } from "../objects/kinds.ts";
import { isTrue } from "../objects/life.ts";
import type { Labels } from "../objects/selector.ts";
import { type Amounts, podRequests } from "./requests.ts";

/** The label that names the node itself, whether an agent sets it or not. */
export const HOSTNAME_LABEL = "kubernetes.io/hostname";
const DEFAULT_MAX_PODS = 110;

/** A node while Pods are being placed: what is on it already, and what else would fit. */
export class NodeRoom {
  readonly name: string;
  readonly labels: Labels;
  readonly isReady: boolean;
  readonly isUnschedulable: boolean;
  readonly allocatable: Amounts;
  readonly maxPods: number;
  readonly pods: Pod[] = [];
  /** Those of them that keep others away; mostly none, and each placement asks. */
  readonly repelling: Pod[] = [];
  #used: Amounts = { cpuMillis: 0n, memoryBytes: 0n };

  constructor(node: Node) {
    const { name, labels } = metaOf(node);
    this.name = name;
    this.labels = { [HOSTNAME_LABEL]: name, ...labels };
    this.isReady = isTrue(node.status?.conditions, "Ready");
    this.isUnschedulable = node.spec?.unschedulable ?? false;
    this.allocatable = node.status?.allocatable ?? { cpuMillis: 0n, memoryBytes: 0n };
    this.maxPods = node.status?.maxPods || DEFAULT_MAX_PODS;
  }

  get used(): Amounts {
    return this.#used;
  }

  add(pod: Pod): void {
    const { cpuMillis, memoryBytes } = podRequests(pod);
    this.#used = { cpuMillis: this.#used.cpuMillis + cpuMillis, memoryBytes: this.#used.memoryBytes + memoryBytes };
    this.pods.push(pod);
    if ((pod.spec?.affinity?.podAntiAffinity?.required.length ?? 0) > 0) this.repelling.push(pod);
  }

  lacks(amount: keyof Amounts, wanted: Amounts): boolean {
    // What requests nothing fits also where more is promised than there is.
    return wanted[amount] > 0n && this.#used[amount] + wanted[amount] > this.allocatable[amount];
  }

  /** How full the node is, 0 to 1: the mean of CPU, memory and places for Pods. */
  get fullness(): number {
    const part = (amount: keyof Amounts): number =>
      this.allocatable[amount] === 0n ? 0 : Number(this.#used[amount]) / Number(this.allocatable[amount]);
    return (part("cpuMillis") + part("memoryBytes") + this.pods.length / this.maxPods) / 3;
  }
}
