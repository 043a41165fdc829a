import type { Message } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import {
  type Deployment,
  DeploymentSchema,
  type Node,
  NodeSchema,
  type ObjectMeta,
  type Pod,
  PodSchema,
  type Service,
  ServiceSchema,
} from "@fiberlb/api/k8shost";

/** What every object of the host has. */
export type HostObject = Message & { metadata?: ObjectMeta | undefined };

/** One kind of objects. */
export interface Kind<T extends HostObject> {
  /** In keys of the store. */
  readonly plural: "pods" | "services" | "deployments" | "nodes";
  /** For people: `Pod`. */
  readonly label: string;
  /** The object's field in requests, where bad fields are named: `pod`. */
  readonly field: string;
  readonly schema: GenMessage<T>;
}

export const PODS: Kind<Pod> = { plural: "pods", label: "Pod", field: "pod", schema: PodSchema };

export const SERVICES: Kind<Service> = {
  plural: "services",
  label: "Service",
  field: "service",
  schema: ServiceSchema,
};

export const DEPLOYMENTS: Kind<Deployment> = {
  plural: "deployments",
  label: "Deployment",
  field: "deployment",
  schema: DeploymentSchema,
};

/** They belong to no tenant and no namespace. */
export const NODES: Kind<Node> = { plural: "nodes", label: "node", field: "node", schema: NodeSchema };

/** The identity of an object; every object that comes out of the store has one. */
export function metaOf({ metadata, $typeName }: HostObject): ObjectMeta {
  if (metadata === undefined) throw new Error(`Cannot use a ${$typeName} without metadata`);
  return metadata;
}
