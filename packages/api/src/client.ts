import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { ORG_HEADER, PROJECT_HEADER } from "@fiberlb/types";

import { BackendService } from "./gen/fiberlb/v1/backend_pb.ts";
import { BgpService } from "./gen/fiberlb/v1/bgp_pb.ts";
import { CertificateService } from "./gen/fiberlb/v1/certificate_pb.ts";
import { DiscoveryService } from "./gen/fiberlb/v1/discovery_pb.ts";
import { HealthCheckService } from "./gen/fiberlb/v1/health_check_pb.ts";
import { L7PolicyService } from "./gen/fiberlb/v1/l7_policy_pb.ts";
import { L7RuleService } from "./gen/fiberlb/v1/l7_rule_pb.ts";
import { ListenerService } from "./gen/fiberlb/v1/listener_pb.ts";
import { LoadBalancerService } from "./gen/fiberlb/v1/load_balancer_pb.ts";
import { NodeService } from "./gen/fiberlb/v1/node_pb.ts";
import { PoolService } from "./gen/fiberlb/v1/pool_pb.ts";
import { VipPoolService } from "./gen/fiberlb/v1/vip_pool_pb.ts";
import { openTransport, type TransportOptions } from "./transport.ts";

/** Which service stands behind each property of {@link FiberlbClient}. */
const fiberlbServices = {
  loadBalancers: LoadBalancerService,
  listeners: ListenerService,
  pools: PoolService,
  backends: BackendService,
  healthChecks: HealthCheckService,
  l7Policies: L7PolicyService,
  l7Rules: L7RuleService,
  certificates: CertificateService,
  vipPools: VipPoolService,
  nodes: NodeService,
  bgp: BgpService,
  discovery: DiscoveryService,
} as const satisfies Record<string, DescService>;

type Services = typeof fiberlbServices;

/** One client per service over one connection. */
export type FiberlbClient = { readonly [Name in keyof Services]: Client<Services[Name]> } & {
  /** Ends the connection and what runs on it, so that a program can exit. */
  readonly close: () => void;
};

/** Where the server is and who is calling. */
export interface FiberlbClientOptions extends TransportOptions {
  /** Organisation that calls are about; the server's `default` when absent. */
  readonly org?: string;
  /** Project that calls are about; the server's `default` when absent. */
  readonly project?: string;
  /** Bearer token, or what gives the current one before each call. */
  readonly token?: string | (() => string | Promise<string>);
}

/** Clients for every service of a FiberLB server. Connects with the first call, and again when the connection is lost. */
export function createFiberlbClient(options: FiberlbClientOptions): FiberlbClient {
  const { transport, close } = openTransport({
    ...options,
    interceptors: [callerInterceptor(options), ...(options.interceptors ?? [])],
  });
  return { ...clientsOf(fiberlbServices, transport), close };
}

/** One client per service, under the same names. */
export function clientsOf<Wanted extends Readonly<Record<string, DescService>>>(
  services: Wanted,
  transport: Transport,
): { readonly [Name in keyof Wanted]: Client<Wanted[Name]> } {
  const clients = Object.entries(services).map(([name, service]) => [name, createClient(service, transport)]);
  return Object.fromEntries(clients) as { readonly [Name in keyof Wanted]: Client<Wanted[Name]> };
}

/** Says with every call who is calling. A header that a call brings itself wins: a controller acts for many tenants. */
export function callerInterceptor({ org, project, token }: FiberlbClientOptions): Interceptor {
  return (next) => async (request) => {
    if (org !== undefined && !request.header.has(ORG_HEADER)) request.header.set(ORG_HEADER, org);
    if (project !== undefined && !request.header.has(PROJECT_HEADER)) request.header.set(PROJECT_HEADER, project);
    const current = typeof token === "function" ? await token() : token;
    if (current !== undefined) request.header.set("authorization", `Bearer ${current}`);
    return next(request);
  };
}
