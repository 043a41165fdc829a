import { beforeEach, describe, expect, it } from "@jest/globals";

import { createHandleDatagrams } from "../../../src/data/transport/handle-datagrams.ts";
import type { TransportError } from "../../../src/data/transport/transport.ts";
import type { SendRequest, SocketName, UdpBinding, UdpHandle } from "../../../src/data/transport/udp-binding.ts";

const ENOBUFS = -105;
const EPERM = -1;

let waiting: SendRequest[];
/** What the next sends come to; after them everything is sent at once. */
let results: number[];

class FakeHandle implements UdpHandle {
  owner: object | undefined;
  onmessage: UdpHandle["onmessage"] = () => undefined;
  bind = (): number => 0;
  bind6 = (): number => 0;
  connect = (): number => 0;
  connect6 = (): number => 0;
  recvStart = (): number => 0;
  bufferSize = (): number => 0;
  send6 = (): number => 1;

  send(request: SendRequest, list: readonly Uint8Array[]): number {
    const result = results.shift() ?? list[0]!.length + 1;
    if (result === 0) waiting.push(request);
    return result;
  }

  getsockname(out: Partial<SocketName>): number {
    Object.assign(out, { address: "127.0.0.1", port: 53 });
    return 0;
  }

  close(onClose?: () => void): void {
    onClose?.();
  }
}

class FakeRequest {
  oncomplete: SendRequest["oncomplete"] = () => undefined;
  handle!: UdpHandle;
  list: readonly Uint8Array[] = [];
}

const binding: UdpBinding = { Udp: FakeHandle, SendRequest: FakeRequest, ipv6Only: 1, reusePort: 64 };
const datagram = (text: string): Uint8Array => Buffer.from(text);

let losses: string[];
let unreachable: string[];
const codes = (list: string[]) => (error: TransportError) => void list.push(error.code);

function connect() {
  const handlers = { onDatagram() {}, onLoss: codes(losses), onUnreachable: codes(unreachable) };
  return createHandleDatagrams(binding).connect({ address: "127.0.0.1", port: 53 }, handlers);
}

beforeEach(() => {
  waiting = [];
  results = [];
  losses = [];
  unreachable = [];
});

describe("a datagram that the kernel does not take at once", () => {
  it("waits with its own bytes, whatever is sent meanwhile", () => {
    const socket = connect();
    results = [0, 3, 0];
    for (const text of ["first", "on", "third"]) socket.send(datagram(text));
    expect(waiting.map(({ list }) => Buffer.from(list[0]!).toString())).toEqual(["first", "third"]);
    expect(waiting[0]).not.toBe(waiting[1]);
  });

  it("is told of when it fails in the end, unless the socket is closed", () => {
    const socket = connect();
    results = [0, 0, 0, 0];
    for (let i = 0; i < 4; i++) socket.send(datagram("x"));
    const complete = (status: number): void => waiting.shift()!.oncomplete.call(new FakeRequest(), status);
    complete(0);
    complete(ENOBUFS);
    complete(EPERM);
    expect({ losses, unreachable }).toEqual({ losses: ["ENOBUFS"], unreachable: ["EPERM"] });
    socket.close();
    complete(ENOBUFS);
    expect(losses).toHaveLength(1);
  });

  it("is lost when too many wait; room is made by those that leave", async () => {
    const socket = connect();
    results = Array.from({ length: 1000 }, () => 0);
    for (let i = 0; i < 300; i++) socket.send(datagram("x"));
    expect(waiting).toHaveLength(256);
    await Promise.resolve();
    expect(losses).toHaveLength(300 - 256);
    waiting.shift()!.oncomplete.call(new FakeRequest(), 0);
    socket.send(datagram("x"));
    expect(waiting).toHaveLength(256);
  });

  it("to a client is told to the listener", async () => {
    const bound = await createHandleDatagrams(binding).bind(
      { address: "127.0.0.1", port: 53, reusePort: true },
      { onDatagram() {}, onLoss: codes(losses) },
    );
    results = [0];
    bound.send(datagram("x"), { address: "127.0.0.1", port: 5000 });
    waiting[0]!.oncomplete.call(new FakeRequest(), EPERM);
    expect(losses).toEqual(["EPERM"]);
  });
});
