import type { Clock } from "../../clock.ts";
import type { ListenerUnit } from "../../snapshot/snapshot.ts";
import type { Balancer } from "../balancer.ts";
import type { RejectReason } from "../data-plane.ts";
import type { DatagramProxy } from "../proxy.ts";
import type { BoundSocket, DatagramEndpoint, DatagramTransport } from "../transport/datagram.ts";
import { AllowedCidrs } from "./allowed-cidrs.ts";
import type { FlowBudget, FlowHolder } from "./flow-budget.ts";
import { FlowTable } from "./flow-table.ts";
import type { ListenerAccount } from "./listener-account.ts";
import { type UdpClient, UdpFlow, type UdpFlowOptions, withoutZone } from "./udp-flow.ts";

/** What a {@link UdpProxy} needs. */
export interface UdpProxyOptions {
  readonly listener: ListenerUnit;
  /** The load balancer's VIP, canonical text. */
  readonly vip: string;
  readonly transport: DatagramTransport;
  readonly clock: Clock;
  readonly account: ListenerAccount;
  /** Shared by all listeners of the worker. */
  readonly budget: FlowBudget;
  /** The balancer of the pool of that id as of now; undefined when it is gone. */
  readonly balancer: (poolId: string) => Balancer | undefined;
}

/**
 * Forwards one listener's datagrams in one worker. All datagrams from one address and port are a flow, which keeps its
 * backend until nothing has come from either side for the listener's idle timeout; a flow counts as a connection.
 *
 * A datagram that cannot be forwarded is dropped and counted: user space can't send an ICMP error.
 */
export class UdpProxy implements DatagramProxy, FlowHolder {
  readonly #options: UdpProxyOptions;
  readonly #flowOptions: UdpFlowOptions;
  readonly #flows: FlowTable<UdpFlow>;
  #listener: ListenerUnit;
  #allowed: AllowedCidrs;

  constructor(options: UdpProxyOptions) {
    const { listener, vip, transport, clock, account, budget } = options;
    this.#options = options;
    this.#listener = listener;
    this.#allowed = new AllowedCidrs(listener.allowedCidrs);
    this.#flows = new FlowTable<UdpFlow>(clock, listener.clientIdleTimeoutMs, (flow) => this.#end(flow));
    this.#flowOptions = {
      vip,
      vipPort: listener.port,
      transport,
      account,
      pool: () => this.#pool,
      onReply: (flow) => this.#flows.touch(flow),
      onExhausted: () => budget.evictFor(this),
      onRevoke: (flow) => this.#end(flow),
    };
  }

  get active(): number {
    return this.#flows.size;
  }

  get size(): number {
    return this.#flows.size;
  }

  /**
   * Takes the listener's new configuration. Who is not allowed any more is cut off at once: a flow has no beginning at
   * which its client could be judged for good.
   */
  update(listener: ListenerUnit): void {
    const { allowedCidrs } = this.#listener;
    this.#listener = listener;
    this.#flows.timeoutMs = listener.clientIdleTimeoutMs;
    if (listener.allowedCidrs === allowedCidrs) return;
    this.#allowed = new AllowedCidrs(listener.allowedCidrs);
    for (const flow of this.#flows.values()) if (!this.#allowed.includes(flow.clientAddress)) this.#end(flow);
  }

  receive(bytes: Uint8Array, from: DatagramEndpoint, socket: BoundSocket): void {
    const key = `${from.address} ${from.port}`;
    const known = this.#flows.get(key);
    if (known !== undefined) this.#flows.touch(known);
    const flow = known ?? this.#admit({ key, endpoint: from, socket });
    flow?.forward(bytes);
  }

  onLoss(): void {
    this.#options.account.reject("send-failed");
  }

  /** The listener's socket goes, and without it no flow has an answer any more. */
  drain(): void {
    this.closeAll();
  }

  closeAll(): void {
    for (const flow of this.#flows.values()) this.#end(flow);
  }

  evictOldest(): void {
    const { oldest } = this.#flows;
    if (oldest === undefined) return;
    this.#options.account.reject("flow-limit");
    this.#end(oldest);
  }

  get #pool(): Balancer | undefined {
    const { defaultPoolId } = this.#listener;
    return defaultPoolId === undefined ? undefined : this.#options.balancer(defaultPoolId);
  }

  #admit(client: UdpClient): UdpFlow | undefined {
    const { account, budget } = this.#options;
    if (!this.#allowed.everybody && !this.#allowed.includes(withoutZone(client.endpoint.address))) {
      return this.#drop("acl");
    }
    if (account.rates?.connections?.admits(withoutZone(client.endpoint.address)) === false) {
      return this.#drop("rate-limit");
    }
    if (this.#pool === undefined) return this.#drop("no-pool");
    if (!account.open(this.#listener.connectionLimit)) return this.#drop("connection-limit");
    budget.take(this);
    const flow = new UdpFlow(client, this.#flowOptions);
    const refusal = flow.connect();
    if (refusal !== undefined) {
      this.#giveBack();
      return this.#drop(refusal);
    }
    this.#flows.add(flow);
    return flow;
  }

  #drop(reason: RejectReason): undefined {
    this.#options.account.reject(reason);
  }

  #end(flow: UdpFlow): void {
    flow.end();
    if (this.#flows.remove(flow)) this.#giveBack();
  }

  #giveBack(): void {
    this.#options.budget.give(this);
    this.#options.account.close();
  }
}
