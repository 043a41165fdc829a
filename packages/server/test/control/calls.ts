import type { FiberlbClient } from "@fiberlb/api";

import type { Tree } from "./fixtures.ts";

/** One RPC about something that exists, ready to be called by anybody. */
export interface Call {
  readonly rpc: string;
  readonly run: (client: FiberlbClient) => Promise<unknown>;
}

/** What Create, Get, Update and Delete of a kind need to be called. */
interface KindCalls {
  readonly service: keyof Omit<FiberlbClient, "close">;
  /** Ends the RPCs' names: `Pool` of `CreatePool`. */
  readonly name: string;
  readonly plural: string;
  /** Field of the resource in requests. */
  readonly field: keyof Tree;
  /** A Create below what exists; absent for kinds without parent. */
  readonly create?: (tree: Tree) => object;
  readonly parent?: (tree: Tree) => object;
}

const KINDS: readonly KindCalls[] = [
  { service: "loadBalancers", name: "LoadBalancer", plural: "LoadBalancers", field: "loadBalancer" },
  { service: "certificates", name: "Certificate", plural: "Certificates", field: "certificate" },
  {
    service: "listeners",
    name: "Listener",
    plural: "Listeners",
    field: "listener",
    create: ({ loadBalancer }) => ({ loadBalancerId: loadBalancer.id, protocol: 1, port: 4242 }),
    parent: ({ loadBalancer }) => ({ loadBalancerId: loadBalancer.id }),
  },
  {
    service: "pools",
    name: "Pool",
    plural: "Pools",
    field: "pool",
    create: ({ loadBalancer }) => ({ loadBalancerId: loadBalancer.id }),
    parent: ({ loadBalancer }) => ({ loadBalancerId: loadBalancer.id }),
  },
  {
    service: "backends",
    name: "Backend",
    plural: "Backends",
    field: "backend",
    create: ({ pool }) => ({ poolId: pool.id, address: "127.0.0.1", port: 4242 }),
    parent: ({ pool }) => ({ poolId: pool.id }),
  },
  {
    service: "healthChecks",
    name: "HealthCheck",
    plural: "HealthChecks",
    field: "healthCheck",
    create: ({ pool }) => ({ poolId: pool.id, type: 1 }),
    parent: ({ pool }) => ({ poolId: pool.id }),
  },
  {
    service: "l7Policies",
    name: "L7Policy",
    plural: "L7Policies",
    field: "l7Policy",
    create: ({ listener }) => ({ listenerId: listener.id, action: 4 }),
    parent: ({ listener }) => ({ listenerId: listener.id }),
  },
  {
    service: "l7Rules",
    name: "L7Rule",
    plural: "L7Rules",
    field: "l7Rule",
    create: ({ l7Policy }) => ({ l7PolicyId: l7Policy.id, type: 2, compareType: 1, value: "/x" }),
    parent: ({ l7Policy }) => ({ l7PolicyId: l7Policy.id }),
  },
];

type Rpc = (request: object) => Promise<unknown>;

/** Every RPC that names something of a tenant by its id, as id, parent or reference. */
export function callsAbout(tree: Tree): Call[] {
  return [...KINDS.flatMap((kind) => callsOfKind(kind, tree)), ...otherCalls(tree)];
}

function callsOfKind({ service, name, plural, field, create, parent }: KindCalls, tree: Tree): Call[] {
  const call = (rpc: string, request: object): Call => ({
    rpc,
    run: (client) =>
      (client[service] as unknown as Record<string, Rpc>)[rpc[0]?.toLowerCase() + rpc.slice(1)]?.(
        request,
      ) as Promise<unknown>,
  });
  const { id } = tree[field];
  const resource = { [field]: { id, description: "changed" }, updateMask: { paths: ["description"] } };
  return [
    call(`Get${name}`, { id }),
    call(`Update${name}`, resource),
    call(`Delete${name}`, { id }),
    call(`Delete${name}`, { id, cascade: true }),
    ...(create === undefined ? [] : [call(`Create${name}`, create(tree))]),
    ...(parent === undefined ? [] : [call(`List${plural}`, parent(tree))]),
  ];
}

function otherCalls({ loadBalancer, pool, backend }: Tree): Call[] {
  const { id } = loadBalancer;
  const registration = { poolId: pool.id, address: backend.address, port: backend.port };
  return [
    { rpc: "GetLoadBalancerStatus", run: (client) => client.loadBalancers.getLoadBalancerStatus({ id }) },
    { rpc: "GetLoadBalancerStats", run: (client) => client.loadBalancers.getLoadBalancerStats({ id }) },
    { rpc: "RegisterBackend", run: (client) => client.backends.registerBackend(registration) },
    { rpc: "DeregisterBackend", run: (client) => client.backends.deregisterBackend(registration) },
  ];
}
