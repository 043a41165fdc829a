import { create, equals } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type Deployment,
  DeploymentSpecSchema,
  DeploymentStatusSchema,
  type Pod,
  PodPhase,
  PodSpecSchema,
  PodStatusSchema,
  type Service,
  ServiceSpecSchema,
  ServiceStatusSchema,
  ServiceType,
} from "@fiberlb/api/k8shost";
import { invalid } from "@fiberlb/types";

import { checkDeploymentChange, checkDeploymentSpec, checkDeploymentStatus } from "../checks/deployment.ts";
import { checkPodChange, checkPodSpec, checkPodStatus } from "../checks/pod.ts";
import { checkServiceChange, checkServiceSpec, checkServiceStatus, NO_CLUSTER_IP } from "../checks/service.ts";
import { type ClusterIps, releaseIp, takeIp } from "./cluster-ips.ts";
import { metaOf } from "./kinds.ts";
import type { Rules } from "./rules.ts";

/** A terminating Pod goes on for so long when its spec does not say. */
export const DEFAULT_GRACE_S = 30;

/** Condition that the host itself keeps on each Pod. */
export const SCHEDULED_CONDITION = "PodScheduled";

export const podRules: Rules<Pod> = {
  prepare(pod, { before }) {
    pod.status ??= create(PodStatusSchema);
    if (pod.status.phase === PodPhase.UNSPECIFIED) pod.status.phase = before?.status?.phase ?? PodPhase.PENDING;
    if (before === undefined) return;
    if (pod.spec !== undefined && pod.spec.nodeName === "") pod.spec.nodeName = before.spec?.nodeName ?? "";
    // An agent that writes the status as it knows it does not take away what the scheduler said.
    const said = before.status?.conditions.find(({ type }) => type === SCHEDULED_CONDITION);
    const isKept = pod.status.conditions.some(({ type }) => type === SCHEDULED_CONDITION);
    if (said !== undefined && !isKept) pod.status.conditions = [said, ...pod.status.conditions];
  },
  check(pod, { before, to }) {
    checkPodSpec(pod.spec, "pod.spec", to);
    checkPodStatus(pod.status, "pod.status", to);
    const isEnding = metaOf(pod).deletionTimestamp !== undefined;
    if (before !== undefined && !isEnding) checkPodChange(before, pod, to);
  },
  mayGo: (pod, epochMs) => !hasBegun(pod) || epochMs >= podEndMs(pod),
  isSameSpec: (a, b) => sameMessage(PodSpecSchema, a.spec, b.spec),
};

/** When the grace period of a terminating Pod is over, in milliseconds since 1970. */
export function podEndMs(pod: Pod): number {
  const { deletionTimestamp } = metaOf(pod);
  if (deletionTimestamp === undefined) return Number.POSITIVE_INFINITY;
  return timestampMs(deletionTimestamp) + (pod.spec?.terminationGracePeriodS ?? DEFAULT_GRACE_S) * 1000;
}

/** What no agent has seen needs no time to end. */
const hasBegun = ({ spec, status }: Pod): boolean =>
  (spec?.nodeName ?? "") !== "" || (status?.podIp ?? "") !== "" || status?.phase === PodPhase.RUNNING;

export const deploymentRules: Rules<Deployment> = {
  prepare(deployment) {
    deployment.status ??= create(DeploymentStatusSchema);
    if (deployment.spec !== undefined) deployment.spec.replicas ??= 1;
  },
  check(deployment, { before, to }) {
    checkDeploymentSpec(deployment, "deployment.spec", to);
    checkDeploymentStatus(deployment, "deployment.status", to);
    if (before !== undefined) checkDeploymentChange(before, deployment, to);
  },
  isSameSpec: (a, b) => sameMessage(DeploymentSpecSchema, a.spec, b.spec),
};

/** Services have an address of their own, which is taken and given back with them. */
export function serviceRules(ips: ClusterIps): Rules<Service> {
  return {
    prepare(service, { before }) {
      service.status ??= create(ServiceStatusSchema);
      const { spec } = service;
      if (spec === undefined) return;
      if (spec.type === ServiceType.UNSPECIFIED) spec.type = ServiceType.CLUSTER_IP;
      if (spec.clusterIp === "") spec.clusterIp = before?.spec?.clusterIp ?? "";
    },
    check(service, { before, to }) {
      checkServiceSpec(service, "service.spec", to);
      checkServiceStatus(service, "service.status", to);
      if (before !== undefined) checkServiceChange(before, service, to);
      const ip = service.spec?.clusterIp ?? "";
      if (ip !== "" && ip !== NO_CLUSTER_IP && !ips.contains(ip))
        to.add("service.spec.cluster_ip", "OUT_OF_RANGE", `must be in ${ips.cidr}, "None" or absent, not ${ip}`);
    },
    async complete({ spec }) {
      if (spec !== undefined && spec.clusterIp === "" && spec.type !== ServiceType.EXTERNAL_NAME)
        spec.clusterIp = await ips.suggest();
    },
    beside(before, after) {
      const [was, is] = [ownIp(before), ownIp(after)];
      if (after === undefined) return was === undefined ? {} : releaseIp(was);
      return is === undefined || is === was ? {} : takeIp(is, metaOf(after).uid);
    },
    async explainConflict(asked) {
      const ip = ownIp(asked);
      if (ip === undefined || !(await ips.isTaken(ip))) return;
      const description = `${ip} is in use by another Service`;
      throw invalid([{ field: "service.spec.cluster_ip", reason: "DUPLICATE", description }]);
    },
    isSameSpec: (a, b) => sameMessage(ServiceSpecSchema, a.spec, b.spec),
  };
}

function ownIp(service: Service | undefined): string | undefined {
  const ip = service?.spec?.clusterIp ?? "";
  return ip === "" || ip === NO_CLUSTER_IP ? undefined : ip;
}

function sameMessage<S extends Parameters<typeof equals>[0]>(
  schema: S,
  a: Parameters<typeof equals<S>>[1] | undefined,
  b: Parameters<typeof equals<S>>[2] | undefined,
): boolean {
  return a === undefined || b === undefined ? a === b : equals(schema, a, b);
}
