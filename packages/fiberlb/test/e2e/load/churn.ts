import type { Api } from "../api.ts";

/** Load balancers that change all the time. */
export interface Churn {
  /** Changes that the API took. */
  readonly changes: number;
  /** What a change failed with; none is expected. */
  readonly failures: readonly string[];
  /** Ends it; resolves when the last change is done. */
  stop(): Promise<void>;
}

/** What is changed: a pool of another load balancer, and what whole load balancers are made of. */
export interface ChurnOptions {
  readonly api: Api;
  readonly poolId: string;
  readonly backendIds: readonly string[];
  readonly backendPorts: readonly number[];
  readonly listenerPort: number;
  readonly everyMs: number;
}

/** Of three backends in turn never more than one is at 0. */
const WEIGHTS = [3, 0, 1, 2] as const;

/** Makes a change at every tick: a weight, a backend that comes or goes, a whole load balancer that comes or goes. */
export function startChurn(options: ChurnOptions): Churn {
  const { api, poolId, backendIds, backendPorts, listenerPort, everyMs } = options;
  const failures: string[] = [];
  let changes = 0;
  let extraBackend: string | undefined;
  let extraLoadBalancer: string | undefined;

  const setWeight = async (round: number): Promise<void> => {
    const backend = { id: backendIds[round % backendIds.length], weight: WEIGHTS[round % WEIGHTS.length] };
    await api.call("BackendService/UpdateBackend", { backend, updateMask: "weight" });
  };
  const changeBackends = async (): Promise<void> => {
    if (extraBackend === undefined) {
      // Nobody listens there: a backend that is found down between coming and going.
      const fields = { poolId, address: "127.0.0.2", port: backendPorts[0] };
      extraBackend = (await api.resource("BackendService/CreateBackend", fields)).id;
    } else {
      await api.call("BackendService/DeleteBackend", { id: extraBackend });
      extraBackend = undefined;
    }
  };
  const changeLoadBalancers = async (): Promise<void> => {
    if (extraLoadBalancer === undefined) extraLoadBalancer = await createWhole(api, backendPorts, listenerPort);
    else {
      await api.call("LoadBalancerService/DeleteLoadBalancer", { id: extraLoadBalancer, cascade: true });
      extraLoadBalancer = undefined;
    }
  };

  const kinds = [setWeight, changeBackends, changeLoadBalancers];
  let last: Promise<unknown> = Promise.resolve();
  let turn = 0;
  const timer = setInterval(() => {
    const change = kinds[turn % kinds.length]!;
    const round = Math.floor(turn++ / kinds.length);
    last = last
      .then(() => change(round))
      .then(
        () => (changes += 1),
        (error: Error) => failures.push(`${change.name}: ${error.message}`),
      );
  }, everyMs);
  return {
    get changes() {
      return changes;
    },
    failures,
    async stop() {
      clearInterval(timer);
      await last;
    },
  };
}

async function createWhole(api: Api, backendPorts: readonly number[], port: number): Promise<string> {
  const { id: loadBalancerId } = await api.resource("LoadBalancerService/CreateLoadBalancer", {});
  const pool = await api.resource("PoolService/CreatePool", { loadBalancerId, algorithm: "POOL_ALGORITHM_MAGLEV" });
  for (const backendPort of backendPorts)
    await api.call("BackendService/CreateBackend", { poolId: pool.id, address: "127.0.0.1", port: backendPort });
  const listener = { loadBalancerId, protocol: "LISTENER_PROTOCOL_TCP", port, defaultPoolId: pool.id };
  await api.call("ListenerService/CreateListener", listener);
  return loadBalancerId;
}
