import { type Pod, PodPhase } from "@fiberlb/api/k8shost";

/** What is asked for or left, in the units of the API. */
export interface Amounts {
  readonly cpuMillis: bigint;
  readonly memoryBytes: bigint;
}

/** What a Pod's containers request together; a container that only has a limit requests that. */
export function podRequests({ spec }: Pod): Amounts {
  let cpuMillis = 0n;
  let memoryBytes = 0n;
  for (const { requests, limits } of spec?.containers ?? []) {
    cpuMillis += requests?.cpuMillis || limits?.cpuMillis || 0n;
    memoryBytes += requests?.memoryBytes || limits?.memoryBytes || 0n;
  }
  return { cpuMillis, memoryBytes };
}

/** Whether a Pod is done and holds nothing any more. */
export const hasEnded = ({ status }: Pod): boolean =>
  status?.phase === PodPhase.SUCCEEDED || status?.phase === PodPhase.FAILED;
