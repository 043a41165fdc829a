import { ConditionStatus, type K8shostClient, type Pod, PodPhase, WatchEventType } from "@fiberlb/api/k8shost";

/** What an agent does with a Pod. */
export interface AgentOptions {
  readonly cpuMillis?: bigint;
  /** Whether a new Pod becomes ready. Default: all do. */
  readonly isReady?: (pod: Pod) => boolean;
}

let nextIp = 1;

/** Plays a node: registers it, marks its Pods running with an address, ends those that terminate. */
export async function startAgent(
  { nodes, pods }: K8shostClient,
  name: string,
  { cpuMillis = 10_000n, isReady = () => true }: AgentOptions = {},
): Promise<{ readonly stop: () => Promise<void> }> {
  const allocatable = { cpuMillis, memoryBytes: 1n << 34n };
  await nodes.registerNode({ node: { metadata: { name }, status: { allocatable } } });
  const ending = new AbortController();
  const run = async (): Promise<void> => {
    for await (const { type, pod } of pods.watchPods({ nodeName: name, allTenants: true }, { signal: ending.signal })) {
      if (pod?.metadata === undefined || type === WatchEventType.DELETED) continue;
      const { namespace, name: podName, uid } = pod.metadata;
      if (pod.metadata.deletionTimestamp !== undefined)
        await pods.deletePod({ namespace, name: podName, uid, gracePeriodS: 0 }).catch(() => undefined);
      else if (pod.status?.podIp === "") {
        const ready = { type: "Ready", status: isReady(pod) ? ConditionStatus.TRUE : ConditionStatus.FALSE };
        const status = { phase: PodPhase.RUNNING, podIp: `127.20.0.${nextIp++ % 250}`, conditions: [ready] };
        const update = { metadata: { namespace, name: podName, uid }, status };
        await pods.updatePod({ pod: update, updateMask: { paths: ["status"] } }).catch(() => undefined);
      }
    }
  };
  const running = run().catch(() => undefined);
  return {
    async stop() {
      ending.abort();
      await running;
    },
  };
}

/** All Pods as a watch tells of them, until they are as wanted; `onChange` sees each state on the way. */
export async function untilPods(
  { pods }: K8shostClient,
  isWanted: (all: readonly Pod[]) => boolean,
  onChange: (all: readonly Pod[]) => void = () => undefined,
): Promise<readonly Pod[]> {
  const ending = new AbortController();
  const known = new Map<string, Pod>();
  let hasAll = false;
  try {
    for await (const { type, pod } of pods.watchPods({}, { signal: ending.signal })) {
      if (pod?.metadata === undefined) hasAll = true;
      else if (type === WatchEventType.DELETED) known.delete(pod.metadata.name);
      else known.set(pod.metadata.name, pod);
      if (!hasAll) continue;
      onChange([...known.values()]);
      if (isWanted([...known.values()])) return [...known.values()];
    }
  } finally {
    ending.abort();
  }
  throw new Error("The watch ended");
}
