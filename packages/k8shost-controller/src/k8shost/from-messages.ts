import { create } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import {
  type Condition as ConditionMessage,
  ConditionStatus,
  ExternalTrafficPolicy,
  type ObjectMeta as MetaMessage,
  type Pod as PodMessage,
  PodPhase,
  Protocol,
  type Service as ServiceMessage,
  type ServicePort as PortMessage,
  ServiceSpecSchema,
  ServiceType,
  SessionAffinity,
} from "@fiberlb/api/k8shost";

import type { Condition, ObjectMeta, Pod, Service, ServicePort } from "../objects.ts";

/** Of an answer without identity, which is none of k8shost's. */
const NO_META = { name: "", namespace: "", uid: "", orgId: "", projectId: "" } as const;

function toMeta(message: MetaMessage | undefined): ObjectMeta {
  if (message === undefined) return { ...NO_META, labels: {}, annotations: {}, finalizers: [] };
  const { name, namespace, uid, orgId, projectId, labels, annotations, finalizers, deletionTimestamp } = message;
  return {
    name,
    namespace,
    uid,
    orgId,
    projectId,
    labels,
    annotations,
    finalizers,
    ...(deletionTimestamp !== undefined && { deletedAt: timestampDate(deletionTimestamp).toISOString() }),
  };
}

/** A type that is not known, from a newer host, wants no load balancer that we could make. */
const TYPES: ReadonlyMap<ServiceType, Service["type"]> = new Map([
  [ServiceType.NODE_PORT, "NodePort"],
  [ServiceType.LOAD_BALANCER, "LoadBalancer"],
  [ServiceType.EXTERNAL_NAME, "ExternalName"],
]);

/** A Service as the controller sees it. */
export function toService({ metadata, spec = create(ServiceSpecSchema), status }: ServiceMessage): Service {
  const { loadBalancerIp, loadBalancerClass } = spec;
  return {
    meta: toMeta(metadata),
    type: TYPES.get(spec.type) ?? "ClusterIP",
    selector: spec.selector,
    ports: spec.ports.map(toPort),
    ...(loadBalancerIp !== "" && { loadBalancerIp }),
    ...(loadBalancerClass !== "" && { loadBalancerClass }),
    loadBalancerSourceRanges: spec.loadBalancerSourceRanges,
    sessionAffinity: spec.sessionAffinity === SessionAffinity.CLIENT_IP ? "ClientIP" : "None",
    externalTrafficPolicy: spec.externalTrafficPolicy === ExternalTrafficPolicy.LOCAL ? "Local" : "Cluster",
    ingressIps: (status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip),
    conditions: (status?.conditions ?? []).map(toCondition),
  };
}

const toPort = ({ name, port, protocol, target }: PortMessage): ServicePort => ({
  name,
  port,
  targetPort: target.value || port,
  protocol: protocol === Protocol.UDP ? "UDP" : "TCP",
});

const toCondition = ({ type, status, reason, message }: ConditionMessage): Condition => ({
  type,
  status: status === ConditionStatus.TRUE ? "True" : status === ConditionStatus.FALSE ? "False" : "Unknown",
  reason,
  message,
});

/** A Pod as the controller sees it. One that has ended serves nothing, whatever its conditions say. */
export function toPod({ metadata, spec, status }: PodMessage): Pod {
  const ports = (spec?.containers ?? []).flatMap((container) => container.ports);
  const isReady = (status?.conditions ?? []).some(
    ({ type, status: is }) => type === "Ready" && is === ConditionStatus.TRUE,
  );
  const hasEnded = status?.phase === PodPhase.SUCCEEDED || status?.phase === PodPhase.FAILED;
  return {
    meta: toMeta(metadata),
    ...(status?.podIp ? { podIp: status.podIp } : {}),
    ready: isReady && !hasEnded,
    namedPorts: Object.fromEntries(
      ports.filter(({ name }) => name !== "").map(({ name, containerPort }) => [name, containerPort]),
    ),
  };
}
