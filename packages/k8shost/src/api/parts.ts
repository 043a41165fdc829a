import type { Deployment, Node, Pod, ResourceAmounts, Service } from "@fiberlb/api/k8shost";

import type { Resources } from "../objects/resources.ts";
import type { ReadOptions } from "./reads.ts";

/** What the API's services are made of. */
export interface ApiParts extends ReadOptions {
  readonly pods: Resources<Pod>;
  readonly services: Resources<Service>;
  readonly deployments: Resources<Deployment>;
  readonly nodes: Resources<Node>;
  /** What the Pods on a node request. */
  readonly requestedOn: (nodeName: string) => ResourceAmounts;
}
