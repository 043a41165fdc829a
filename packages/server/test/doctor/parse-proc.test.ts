import { expect, it } from "@jest/globals";

import { parseCapabilities, parseWildcardSockets } from "../../src/doctor/parse-proc.ts";

it.each([
  ["000001ffffffffff", { netAdmin: true, netBindService: true }],
  ["0000000000000000", { netAdmin: false, netBindService: false }],
  ["0000000000001000", { netAdmin: true, netBindService: false }],
  ["0000000000000400", { netAdmin: false, netBindService: true }],
])("the effective capabilities %s", (bits, expected) => {
  expect(parseCapabilities(`Name:\tnode\nCapPrm:\tffff\nCapEff:\t${bits}\n`)).toEqual(expected);
});

it("no capabilities where the system has none", () => {
  expect(parseCapabilities("")).toBeUndefined();
});

const TCP = `
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0
   1: 0100007F:2378 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0
   2: 00000000:0050 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0
`;
const TCP6 = `   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 0 0`;
const UDP = `  12: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0`;

it.each([
  ["tcp", TCP, [{ protocol: "tcp", port: 22 }]],
  ["tcp", TCP6, [{ protocol: "tcp", port: 8080 }]],
  ["udp", UDP, [{ protocol: "udp", port: 53 }]],
  ["tcp", "", []],
] as const)("sockets on all addresses in a table of %s", (protocol, table, expected) => {
  expect(parseWildcardSockets(protocol, table)).toEqual(expected);
});
