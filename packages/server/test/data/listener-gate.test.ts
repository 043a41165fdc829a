import { describe, expect, it } from "@jest/globals";

import { ListenerGate } from "../../src/data/listener-gate.ts";
import type { BindOptions, DatagramTransport } from "../../src/data/transport/datagram.ts";
import { type ListenOptions, type Transport, TransportError } from "../../src/data/transport/transport.ts";
import type { ListenerUnit } from "../../src/snapshot/snapshot.ts";
import { listenerUnit, unit } from "./units.ts";

/** A gate, and the ports that it looked at; those of datagrams are negative. */
function setUp({ busy = [] }: { readonly busy?: readonly number[] } = {}) {
  const looked: number[] = [];
  const listen = ({ address, port }: ListenOptions) => {
    looked.push(port);
    return busy.includes(port)
      ? Promise.reject(new TransportError("EADDRINUSE", "in use"))
      : Promise.resolve({ address, port, close: () => Promise.resolve() });
  };
  const bind = ({ address, port }: BindOptions) => {
    looked.push(-port);
    return Promise.resolve({ address, port, close: () => Promise.resolve() });
  };
  const transport = { listen } as Partial<Transport> as Transport;
  const datagrams = { bind } as unknown as DatagramTransport;
  return { looked, gate: new ListenerGate({ transport, datagrams, join: () => false }) };
}

const PROTOCOLS: readonly ListenerUnit["protocol"][] = ["TCP", "TLS", "HTTP", "HTTPS", "UDP"];
const all = unit({
  listeners: PROTOCOLS.map((protocol, index) =>
    listenerUnit({ id: protocol, name: protocol, protocol, port: index + 1 }),
  ),
});

describe("ListenerGate", () => {
  it("lets every protocol pass, having looked at its port with a socket of its kind", async () => {
    const { gate, looked } = setUp();
    const [admission] = await gate.admit([all]);
    expect(admission).toEqual({ unit: all, problems: [] });
    expect(looked).toEqual([1, 2, 3, 4, -5]);
  });

  it("holds back a listener whose port is somebody else's", async () => {
    const { gate } = setUp({ busy: [2] });
    const [admission] = await gate.admit([all]);
    expect(admission?.unit.listeners.map(({ id }) => id)).toEqual(["TCP", "HTTP", "HTTPS", "UDP"]);
    expect(admission?.problems[0]?.reason).toContain("Cannot bind listener lb/TLS: 127.0.0.1:2 is in use");
  });
});
