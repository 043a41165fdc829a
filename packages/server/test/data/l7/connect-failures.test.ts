import { expect, it } from "@jest/globals";

import { type ConnectFailure, ConnectFailures } from "../../../src/data/l7/connect-failures.ts";
import { TransportError } from "../../../src/data/transport/transport.ts";
import { FakeClock } from "../../fake-clock.ts";

const EXPIRED = new TransportError("CERT_HAS_EXPIRED", "certificate has expired");

it("tells of a backend at most once a minute, and of how many failures it did not tell", () => {
  const clock = new FakeClock();
  const told: ConnectFailure[] = [];
  const failures = new ConnectFailures({ clock, report: (failure) => told.push(failure) });
  for (let i = 0; i < 5; i++) failures.note("a", EXPIRED);
  failures.note("b", EXPIRED);
  const failure = { code: "CERT_HAS_EXPIRED", reason: "certificate has expired" };
  expect(told).toEqual([
    { backendId: "a", ...failure, untold: 0 },
    { backendId: "b", ...failure, untold: 0 },
  ]);
  clock.advance(60_000);
  failures.note("a", EXPIRED);
  failures.note("a", EXPIRED);
  expect(told.slice(2)).toEqual([{ backendId: "a", ...failure, untold: 4 }]);
});

it("goes on telling when there are very many backends", () => {
  const clock = new FakeClock();
  const told: string[] = [];
  const failures = new ConnectFailures({ clock, report: ({ backendId }) => told.push(backendId) });
  for (let i = 0; i < 3000; i++) failures.note(`backend ${i}`, EXPIRED);
  clock.advance(60_000);
  for (let i = 0; i < 3000; i++) failures.note(`backend ${i}`, EXPIRED);
  expect(told).toHaveLength(6000);
});
