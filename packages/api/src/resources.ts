import type { MessageShape } from "@bufbuild/protobuf";
import { completeEntity, type Entities, type ResourceKind } from "@fiberlb/types";

import { messageToPlain } from "./convert.ts";
import { BackendSchema, CreateBackendRequestSchema } from "./gen/fiberlb/v1/backend_pb.ts";
import { CertificateSchema, CreateCertificateRequestSchema } from "./gen/fiberlb/v1/certificate_pb.ts";
import { CreateHealthCheckRequestSchema, HealthCheckSchema } from "./gen/fiberlb/v1/health_check_pb.ts";
import { CreateL7PolicyRequestSchema, L7PolicySchema } from "./gen/fiberlb/v1/l7_policy_pb.ts";
import { CreateL7RuleRequestSchema, L7RuleSchema } from "./gen/fiberlb/v1/l7_rule_pb.ts";
import { CreateListenerRequestSchema, ListenerSchema } from "./gen/fiberlb/v1/listener_pb.ts";
import { CreateLoadBalancerRequestSchema, LoadBalancerSchema } from "./gen/fiberlb/v1/load_balancer_pb.ts";
import { CreatePoolRequestSchema, PoolSchema } from "./gen/fiberlb/v1/pool_pb.ts";
import { CreateVipPoolRequestSchema, VipPoolSchema } from "./gen/fiberlb/v1/vip_pool_pb.ts";

/** The message of each kind of resource. */
export const resourceSchemas = {
  loadBalancer: LoadBalancerSchema,
  listener: ListenerSchema,
  pool: PoolSchema,
  backend: BackendSchema,
  healthCheck: HealthCheckSchema,
  l7Policy: L7PolicySchema,
  l7Rule: L7RuleSchema,
  certificate: CertificateSchema,
  vipPool: VipPoolSchema,
} as const satisfies Record<ResourceKind, unknown>;

/** The Create request of each kind. */
export const createRequestSchemas = {
  loadBalancer: CreateLoadBalancerRequestSchema,
  listener: CreateListenerRequestSchema,
  pool: CreatePoolRequestSchema,
  backend: CreateBackendRequestSchema,
  healthCheck: CreateHealthCheckRequestSchema,
  l7Policy: CreateL7PolicyRequestSchema,
  l7Rule: CreateL7RuleRequestSchema,
  certificate: CreateCertificateRequestSchema,
  vipPool: CreateVipPoolRequestSchema,
} as const satisfies Record<ResourceKind, unknown>;

/** Message of one kind of resource. */
export type ResourceMessage<K extends ResourceKind> = MessageShape<(typeof resourceSchemas)[K]>;

/**
 * The entity in an answer of the server. Status fields, which are not the entity's, stay in it as extra properties.
 * @throws z.ZodError when the message lacks what every entity has.
 */
export const entityFromMessage = <K extends ResourceKind>(kind: K, message: ResourceMessage<K>): Entities[K] =>
  completeEntity(kind, messageToPlain(resourceSchemas[kind], message));
