import type { Client } from "@connectrpc/connect";

import { callerInterceptor, clientsOf, type FiberlbClientOptions } from "./client.ts";
import { DeploymentService } from "./gen/k8shost/v1/deployment_pb.ts";
import { NodeService } from "./gen/k8shost/v1/node_pb.ts";
import { PodService } from "./gen/k8shost/v1/pod_pb.ts";
import { ServiceService } from "./gen/k8shost/v1/service_pb.ts";
import { openTransport } from "./transport.ts";

export * from "./gen/k8shost/v1/deployment_pb.ts";
export * from "./gen/k8shost/v1/meta_pb.ts";
export * from "./gen/k8shost/v1/node_pb.ts";
export * from "./gen/k8shost/v1/pod_pb.ts";
export * from "./gen/k8shost/v1/service_pb.ts";

/** Which service stands behind each property of {@link K8shostClient}. */
const services = {
  pods: PodService,
  services: ServiceService,
  nodes: NodeService,
  deployments: DeploymentService,
} as const;

type Services = typeof services;

/** One client per service of k8shost over one connection. */
export type K8shostClient = { readonly [Name in keyof Services]: Client<Services[Name]> } & {
  /** Ends the connection and what runs on it, so that a program can exit. */
  readonly close: () => void;
};

/** Clients for every service of k8shost. Connects with the first call, and again when the connection is lost. */
export function createK8shostClient(options: FiberlbClientOptions): K8shostClient {
  const { transport, close } = openTransport({
    ...options,
    interceptors: [callerInterceptor(options), ...(options.interceptors ?? [])],
  });
  return { ...clientsOf(services, transport), close };
}
