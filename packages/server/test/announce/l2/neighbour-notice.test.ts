import { describe, expect, test } from "@jest/globals";

import { createNeighbourNotice, type NeighbourNoticeOptions } from "../../../src/announce/l2/neighbour-notice.ts";
import { parseMac } from "../../../src/announce/l2/packets.ts";
import { type Log, silentLog } from "../../../src/log.ts";
import { FakeClock } from "../../fake-clock.ts";

const VIP = "192.0.2.1";

function rig(options: Partial<NeighbourNoticeOptions> = {}) {
  const clock = new FakeClock();
  const sent: string[] = [];
  const warned: string[] = [];
  const log: Log = { ...silentLog, warn: (_event, fields) => void warned.push(String(fields?.["reason"])) };
  const notice = createNeighbourNotice({
    clock,
    log,
    openSocket: () => ({
      send: (index, { etherType }) => void sent.push(`${clock.nowMs()} ${index} ${etherType.toString(16)}`),
      close: () => undefined,
    }),
    readLink: () => ({ ok: true, link: { index: 4, mac: parseMac("02:00:00:00:00:01") } }),
    runArping: () => Promise.reject(new Error("not to be run")),
    ...options,
  });
  return { clock, sent, warned, notice };
}

describe("neighbours are told", () => {
  test("three times, 200 ms apart, in both forms of ARP", () => {
    const { clock, sent, notice } = rig();
    notice.tell("eth0", VIP);
    clock.advance(5000);
    expect(sent).toEqual(["0 4 806", "0 4 806", "200 4 806", "200 4 806", "400 4 806", "400 4 806"]);
  });

  test("for IPv6 by an advertisement", () => {
    const { clock, sent, notice } = rig();
    notice.tell("eth0", "2001:db8::1");
    clock.advance(5000);
    expect(sent).toEqual(["0 4 86dd", "200 4 86dd", "400 4 86dd"]);
  });

  test("no more once it was called off", () => {
    const { clock, sent, notice } = rig();
    const cancel = notice.tell("eth0", "2001:db8::1");
    clock.advance(250);
    cancel();
    clock.advance(5000);
    expect(sent).toHaveLength(2);
  });
});

describe("without a packet socket", () => {
  const openSocket = (): never => {
    throw new Error("cannot open a packet socket: EPERM: needs CAP_NET_RAW");
  };

  test("IPv4 is told by arping", async () => {
    const runs: string[] = [];
    const runArping = (args: readonly string[]): Promise<undefined> => Promise.resolve(void runs.push(args.join(" ")));
    const { clock, warned, notice } = rig({ openSocket, runArping });
    notice.tell("eth0", VIP);
    clock.advance(200);
    await new Promise((resolve) => setImmediate(resolve));
    expect(runs).toEqual([
      `-U -c 1 -I eth0 ${VIP}`,
      `-A -c 1 -I eth0 ${VIP}`,
      `-U -c 1 -I eth0 ${VIP}`,
      `-A -c 1 -I eth0 ${VIP}`,
    ]);
    expect(warned).toEqual([]);
  });

  test("what is missing is said once", async () => {
    const { clock, warned, notice } = rig({
      openSocket,
      runArping: () => Promise.resolve("not installed (iputils-arping)"),
    });
    notice.tell("eth0", VIP);
    notice.tell("eth0", "2001:db8::1");
    clock.advance(5000);
    await new Promise((resolve) => setImmediate(resolve));
    expect(warned.toSorted()).toEqual([
      "cannot open a packet socket: EPERM: needs CAP_NET_RAW; and arping: not installed (iputils-arping)",
      "cannot open a packet socket: EPERM: needs CAP_NET_RAW; for IPv6 there is no other way",
    ]);
  });
});
