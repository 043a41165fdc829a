import { until } from "./until.ts";

/** What the API said no with. */
export class ApiError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** A resource as JSON. */
export type Resource = Readonly<Record<string, unknown>> & { readonly id: string };

/** The API as curl would use it: JSON over HTTP/1.1. */
export interface Api {
  readonly url: string;
  /** @throws ApiError when the server refuses; TypeError when it cannot be reached. */
  call(rpc: string, body: object): Promise<Record<string, unknown>>;
  /** The one resource that a Create or Get answers. */
  resource(rpc: string, body: object): Promise<Resource>;
}

/** Posts JSON to a URL and gives the answer's status and text. */
export type Post = (url: string, json: string) => Promise<{ readonly status: number; readonly text: string }>;

const postByFetch: Post = async (url, json) => {
  const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: json });
  return { status: response.status, text: await response.text() };
};

/** @param url for example `http://127.0.0.1:9080` */
export function apiAt(url: string, post = postByFetch): Api {
  const call = async (rpc: string, body: object): Promise<Record<string, unknown>> => {
    const { status, text } = await post(`${url}/fiberlb.v1.${rpc}`, JSON.stringify(body));
    const answer = JSON.parse(text) as Record<string, unknown>;
    if (status !== 200) throw new ApiError(String(answer["code"]), String(answer["message"]));
    return answer;
  };
  return {
    url,
    call,
    async resource(rpc, body) {
      const [resource] = Object.values(await call(rpc, body));
      return resource as Resource;
    },
  };
}

/** A load balancer with one listener and one pool that {@link declare} made. */
export interface Declared {
  readonly host: string;
  readonly port: number;
  readonly loadBalancerId: string;
  readonly listenerId: string;
  readonly poolId: string;
  readonly backendIds: readonly string[];
}

/** What {@link declare} makes. */
export interface Declaration {
  readonly name?: string;
  readonly vipAddress?: string;
  readonly port: number;
  readonly pool?: object;
  /** Default: TCP. */
  readonly listener?: object;
  /** Backends on 127.0.0.1 unless they say otherwise. */
  readonly backends: readonly { readonly port: number; readonly address?: string }[];
  /** Fields of a TCP health check; absent: none. */
  readonly healthCheck?: object;
}

/** Makes a load balancer; resolves when the API has taken all of it, whether it serves or not. */
export async function declare(api: Api, declaration: Declaration): Promise<Declared> {
  const { name, vipAddress, port, pool: poolFields, listener: listenerFields, backends, healthCheck } = declaration;
  const lb = await api.resource("LoadBalancerService/CreateLoadBalancer", { name, vipAddress });
  const loadBalancerId = lb.id;
  const pool = await api.resource("PoolService/CreatePool", { loadBalancerId, ...poolFields });
  const poolId = pool.id;
  if (healthCheck !== undefined)
    await api.call("HealthCheckService/CreateHealthCheck", { poolId, type: "HEALTH_CHECK_TYPE_TCP", ...healthCheck });
  const backendIds: string[] = [];
  for (const backend of backends) {
    const made = await api.resource("BackendService/CreateBackend", { poolId, address: "127.0.0.1", ...backend });
    backendIds.push(made.id);
  }
  const protocol = "LISTENER_PROTOCOL_TCP";
  const wanted = { loadBalancerId, protocol, port, defaultPoolId: poolId, ...listenerFields };
  const { id: listenerId } = await api.resource("ListenerService/CreateListener", wanted);
  return { host: String(lb["vipAddress"]), port, loadBalancerId, listenerId, poolId, backendIds };
}

/** Waits for a load balancer's provisioning status; answers the load balancer. */
export function untilProvisioned(
  api: Api,
  { loadBalancerId }: Pick<Declared, "loadBalancerId">,
  status: "ACTIVE" | "ERROR" = "ACTIVE",
): Promise<Resource> {
  return until(
    `the load balancer is ${status}`,
    () => api.resource("LoadBalancerService/GetLoadBalancer", { id: loadBalancerId }),
    (lb) => lb["provisioningStatus"] === `PROVISIONING_STATUS_${status}`,
  );
}
