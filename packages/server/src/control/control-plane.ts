import { randomFillSync } from "node:crypto";
import type { AddressInfo } from "node:net";

import type { DescService } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import {
  BackendService,
  BgpService,
  CertificateService,
  DiscoveryService,
  HealthCheckService,
  L7PolicyService,
  L7RuleService,
  ListenerService,
  LoadBalancerService,
  NodeService,
  PoolService,
  VipPoolService,
} from "@fiberlb/api";
import type { Store } from "@fiberlb/store";
import type { Cidr, VipPoolSpec } from "@fiberlb/types";

import type { Clock } from "../clock.ts";
import type { KeyRing } from "../repository/key-ring.ts";
import { Repository } from "../repository/repository.ts";
import { checkSchema } from "../repository/schema-version.ts";
import { ApiServer } from "./api-server.ts";
import { type Authenticator, openAuthenticator } from "./auth/authenticator.ts";
import { backendService } from "./backend-service.ts";
import { bgpService } from "./bgp-service.ts";
import { certificateService } from "./certificate-service.ts";
import { discoveryService } from "./discovery-service.ts";
import { healthCheckService } from "./health-check-service.ts";
import type { TlsMaterial } from "./http/one-port.ts";
import type { ApiCall } from "./interceptors.ts";
import { l7PolicyService } from "./l7-policy-service.ts";
import { l7RuleService } from "./l7-rule-service.ts";
import { listenerService } from "./listener-service.ts";
import { loadBalancerService } from "./load-balancer-service.ts";
import { nodeService } from "./node-service.ts";
import { poolService } from "./pool-service.ts";
import { Presenter } from "./presenter.ts";
import type { ServiceOptions } from "./service-options.ts";
import { noTraffic, type TrafficReader } from "./traffic.ts";
import { vipPoolService } from "./vip-pool-service.ts";

export interface ControlPlaneOptions {
  /** Stays its owner's: `close` leaves it open. */
  readonly store: Store;
  readonly clock: Clock;
  /** Seals private keys. */
  readonly keyRing: KeyRing;
  /** Written to the store when it has no VIP pools. */
  readonly vipPools: readonly VipPoolSpec[];
  /** A VIP that was given back rests for so long. Default 60000. */
  readonly vipReuseDelayMs?: number;
  /** Networks where backends must not be. Default none. */
  readonly deniedCidrs?: readonly Cidr[];
  /** Default: everybody is admin of the project that the headers name. */
  readonly authenticator?: Authenticator;
  /** Figures for GetLoadBalancerStats. Default: all zero. */
  readonly traffic?: TrafficReader;
  /** Whether the data plane of this process has no connection to a backend: a drain then need not wait. */
  readonly isIdle?: (backendId: string) => boolean;
  /** Absent: cleartext. */
  readonly tls?: TlsMaterial | undefined;
  /** Random bytes for ids; default: the system's. */
  readonly fillRandom?: (bytes: Uint8Array<ArrayBuffer>) => void;
  /** Called for each RPC when it has ended. */
  readonly onCall?: (call: ApiCall) => void;
  readonly log: ControlPlaneLog;
}

/** What the control plane has to tell an operator. */
export interface ControlPlaneLog {
  warn(message: string): void;
  /** `what` was being done; it is tried again where that makes sense. */
  error(what: string, error: unknown): void;
}

/** The control path: RPC → checked entity → one store transaction. */
export interface ControlPlane {
  /** For the snapshot publisher, the node's session, and the announcer. */
  readonly repository: Repository;
  /**
   * Loads what is kept in memory and goes on with what a crash interrupted. Until it has, the API answers UNAVAILABLE; after
   * a failure it may be called again.
   */
  start(): Promise<void>;
  /** Opens the API. Rejects with the system's error, for example EADDRINUSE. */
  listen(port: number, host: string): Promise<AddressInfo>;
  /** Presents other keys to connections from now on. */
  replaceTls(material: TlsMaterial): void;
  /** Ends the API within `graceMs`, then the background work. */
  close(options: { readonly graceMs: number }): Promise<void>;
}

const SERVICES: readonly DescService[] = [
  LoadBalancerService,
  ListenerService,
  PoolService,
  BackendService,
  HealthCheckService,
  L7PolicyService,
  L7RuleService,
  CertificateService,
  VipPoolService,
  NodeService,
  BgpService,
  DiscoveryService,
];

const NOT_STARTED = "the store has not been reached since this node started; it forwards what it applied last";
const DEFAULT_REUSE_DELAY_MS = 60_000;

/** Puts the control plane together; nothing runs before `start`. */
export function createControlPlane(options: ControlPlaneOptions): ControlPlane {
  const { store, clock, log } = options;
  const repository = new Repository({
    store,
    clock,
    fillRandom: options.fillRandom ?? randomFillSync,
    vipReuseDelayMs: options.vipReuseDelayMs ?? DEFAULT_REUSE_DELAY_MS,
    onError: (error, what) => log.error(what, error),
    ...(options.isIdle !== undefined && { isIdle: options.isIdle }),
  });
  let isStarted = false;
  const api = new ApiServer({
    clock,
    whyClosed: () => (isStarted ? undefined : NOT_STARTED),
    tls: options.tls,
    authenticator: options.authenticator ?? openAuthenticator,
    services: SERVICES,
    routes: routesOf({
      repository,
      clock,
      presenter: new Presenter(repository, clock),
      keyRing: options.keyRing,
      deniedCidrs: options.deniedCidrs ?? [],
      traffic: options.traffic ?? noTraffic,
    }),
    onCall: options.onCall ?? (() => undefined),
    onUnexpected: (error, rpc) => log.error(`serving ${rpc}`, error),
  });
  return {
    repository,
    async start() {
      // Before anything is written.
      await checkSchema(store);
      for (const difference of await repository.seedVipPools(options.vipPools)) log.warn(difference);
      await repository.start();
      isStarted = true;
    },
    listen: (port, host) => api.listen(port, host),
    replaceTls: (material) => api.replaceTls(material),
    async close(grace) {
      await api.close(grace);
      await repository.stop();
    },
  };
}

function routesOf(options: ServiceOptions): (router: ConnectRouter) => void {
  return (router) => {
    router.service(LoadBalancerService, loadBalancerService(options));
    router.service(ListenerService, listenerService(options));
    router.service(PoolService, poolService(options));
    router.service(BackendService, backendService(options));
    router.service(HealthCheckService, healthCheckService(options));
    router.service(L7PolicyService, l7PolicyService(options));
    router.service(L7RuleService, l7RuleService(options));
    router.service(CertificateService, certificateService(options));
    router.service(VipPoolService, vipPoolService(options));
    router.service(NodeService, nodeService(options));
    router.service(BgpService, bgpService(options));
    router.service(DiscoveryService, discoveryService(options));
  };
}
