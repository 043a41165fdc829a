import { FlowBudget } from "../../../src/data/l4/flow-budget.ts";
import { UdpProxy } from "../../../src/data/l4/udp-proxy.ts";
import type { ListenerUnit } from "../../../src/snapshot/snapshot.ts";
import { FakeClock } from "../../fake-clock.ts";
import { listenerUnit } from "../units.ts";
import { FakeBound, FakeDatagrams, type FakePeer } from "./fake-datagrams.ts";
import { AccountLog, ScriptedBalancer } from "./proxy-rig.ts";

const DEFAULTS = listenerUnit({ protocol: "UDP", port: 53, clientIdleTimeoutMs: 60_000 });
export const VIP = "192.0.2.53";

/** A proxy between clients and backends that are the test's own; no network, time by hand. */
export class UdpRig {
  readonly clock = new FakeClock();
  readonly account = new AccountLog();
  readonly balancer = new ScriptedBalancer();
  readonly datagrams = new FakeDatagrams();
  readonly budget: FlowBudget;
  readonly proxy: UdpProxy;
  readonly socket: FakeBound;
  /** The pool; tests take it away. */
  pool: ScriptedBalancer | undefined = this.balancer;

  constructor(listener: Partial<ListenerUnit> = {}, budget = new FlowBudget(1000)) {
    this.budget = budget;
    this.proxy = new UdpProxy({
      listener: { ...DEFAULTS, ...listener },
      vip: VIP,
      transport: this.datagrams,
      clock: this.clock,
      account: this.account,
      budget: this.budget,
      balancer: () => this.pool,
    });
    const handlers = {
      onDatagram: this.proxy.receive.bind(this.proxy),
      onLoss: () => this.proxy.onLoss(),
    };
    this.socket = new FakeBound({ address: VIP, port: 53, reusePort: true }, handlers, () => undefined);
  }

  update(listener: Partial<ListenerUnit>): void {
    this.proxy.update({ ...DEFAULTS, ...listener });
  }

  /** A client sends. */
  send(what: string, from: { readonly address?: string; readonly port?: number } = {}): void {
    const { address = "198.51.100.7", port = 5000 } = from;
    this.socket.handlers.onDatagram(Buffer.from(what), { address, port }, this.socket);
  }

  /** The socket to a backend that was opened last. */
  get peer(): FakePeer {
    return this.datagrams.peers.at(-1)!;
  }

  /** Flows by every account that there is. */
  get flows(): number {
    const { opened, closed } = this.account;
    const counts = new Set([opened - closed, this.proxy.active, this.budget.total]);
    if (counts.size !== 1) throw new Error(`accounts differ: ${[...counts].join(", ")}`);
    return this.proxy.active;
  }
}
