import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { CensusTaker } from "../../../../src/data/l4/nftables/census.ts";

const VIP = "203.0.113.1";
const LIST = [
  `tcp      6 431999 ESTABLISHED src=10.1.0.2 dst=${VIP} sport=40000 dport=80 src=10.2.0.10 dst=10.2.0.1 sport=8080 dport=40000 [ASSURED] mark=0 use=1`,
  `tcp      6 431998 ESTABLISHED src=10.1.0.2 dst=${VIP} sport=40001 dport=80 packets=7 bytes=512 src=10.2.0.11 dst=10.2.0.1 sport=8080 dport=40001 packets=5 bytes=900 [ASSURED] mark=0 use=1`,
  `tcp      6 119 SYN_SENT src=10.1.0.2 dst=${VIP} sport=40002 dport=80 [UNREPLIED] src=10.2.0.11 dst=10.2.0.1 sport=8080 dport=40002 mark=0 use=1`,
  `tcp      6 110 TIME_WAIT src=10.1.0.2 dst=${VIP} sport=40003 dport=80 src=10.2.0.10 dst=10.2.0.1 sport=8080 dport=40003 [ASSURED] mark=0 use=1`,
  `tcp      6 9 CLOSE src=10.1.0.2 dst=${VIP} sport=40004 dport=80 src=10.2.0.10 dst=10.2.0.1 sport=8080 dport=40004 [ASSURED] mark=0 use=1`,
  `tcp      6 src=10.1.0.2 dst=${VIP} sport=40005 dport=80 src=10.2.0.10 dst=10.2.0.1 sport=8080 dport=40005 [OFFLOAD] mark=0 use=2`,
  `udp      17 29 src=10.1.0.2 dst=${VIP} sport=5353 dport=53 [UNREPLIED] src=10.2.0.10 dst=10.2.0.1 sport=53 dport=5353 mark=0 use=1`,
  `udp      17 29 src=10.1.0.2 dst=${VIP} sport=5354 dport=53 src=10.2.0.10 dst=10.2.0.1 sport=53 dport=5354 mark=0 use=1`,
  `udp      17 119 src=10.1.0.2 dst=${VIP} sport=5355 dport=53 src=10.2.0.10 dst=10.2.0.1 sport=53 dport=5355 [ASSURED] mark=0 use=1`,
  `tcp      6 86400 ESTABLISHED src=fd01::2 dst=2001:db8::1 sport=40000 dport=80 src=fd02::10 dst=fd02::1 sport=8080 dport=40000 [ASSURED] mark=0 use=1`,
  "tcp      6 431999 ESTABLISHED src=10.1.0.2 dst=198.51.100.9 sport=40000 dport=80 src=10.2.0.10 dst=10.1.0.2 sport=8080 dport=40000 [ASSURED] mark=0 use=1",
  `icmp     1 29 src=10.1.0.2 dst=${VIP} type=8 code=0 id=5 src=${VIP} dst=10.1.0.2 type=0 code=0 id=5 mark=0 use=1`,
  "something else entirely",
]
  .map((line) => `${line}\n`)
  .join("");
const OURS: ReadonlySet<string> = new Set([`${VIP} . tcp . 80`, `${VIP} . udp . 53`, "2001:db8::1 . tcp . 80"]);

function count(...pieces: readonly string[]) {
  const taker = new CensusTaker((key) => OURS.has(key));
  for (const piece of pieces) taker.take(piece);
  return { open: Object.fromEntries(taker.open), states: Object.fromEntries(taker.states) };
}

describe("CensusTaker", () => {
  test("counts what is open by endpoint and by backend, and entries by state; others' are none of ours", () => {
    expect(count(LIST)).toEqual({
      open: {
        [`${VIP} . tcp . 80`]: 4,
        [`${VIP} . tcp . 80 . 10.2.0.10 . 8080`]: 2,
        [`${VIP} . tcp . 80 . 10.2.0.11 . 8080`]: 2,
        [`${VIP} . udp . 53`]: 3,
        [`${VIP} . udp . 53 . 10.2.0.10 . 53`]: 3,
        "2001:db8::1 . tcp . 80": 1,
        "2001:db8::1 . tcp . 80 . fd02::10 . 8080": 1,
      },
      states: { established: 3, syn_sent: 1, time_wait: 1, close: 1, offload: 1, unreplied: 1, replied: 1, assured: 1 },
    });
  });

  test("does so whatever pieces the list comes in", () => {
    const whole = count(LIST);
    const cuts = fc.array(fc.nat(LIST.length), { maxLength: 20 });
    fc.assert(
      fc.property(cuts, (at) => {
        const places = [0, ...at.toSorted((a, b) => a - b), LIST.length];
        expect(count(...places.map((from, index) => LIST.slice(from, places[index + 1])))).toEqual(whole);
      }),
    );
  });

  test("a line that has not ended counts when it has", () => {
    const [first = ""] = LIST.split("\n");
    expect(count(first).states).toEqual({});
    expect(count(first, "\n").states).toEqual({ established: 1 });
  });
});
