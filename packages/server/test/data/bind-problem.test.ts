import { describe, expect, it } from "@jest/globals";

import { bindProblem } from "../../src/data/bind-problem.ts";
import { listenerUnit, unit } from "./units.ts";

describe("a listener that can't be bound", () => {
  it.each([
    { code: "EADDRINUSE", vip: "127.10.0.1", port: 80, says: "127.10.0.1:80 is in use; stop what listens there" },
    { code: "EADDRINUSE", vip: "2001:db8::1", port: 80, says: "[2001:db8::1]:80 is in use" },
    { code: "EADDRNOTAVAIL", vip: "203.0.113.9", port: 80, says: "ip address add 203.0.113.9/32 dev lo" },
    { code: "EADDRNOTAVAIL", vip: "2001:db8::1", port: 80, says: "ip address add 2001:db8::1/128 dev lo" },
    { code: "EACCES", vip: "127.10.0.1", port: 80, says: "no permission for port 80; run with CAP_NET_BIND_SERVICE" },
    { code: "EACCES", vip: "127.10.0.1", port: 8080, says: "no permission for 127.10.0.1:8080" },
    { code: "EMFILE", vip: "127.10.0.1", port: 80, says: "raise LimitNOFILE" },
    { code: "EAFNOSUPPORT", vip: "2001:db8::1", port: 80, says: "this host has no IPv6" },
    { code: "EWEIRD", vip: "127.10.0.1", port: 80, says: "127.10.0.1:80 can't be opened (EWEIRD)" },
    { code: "EADDRINUSE", protocol: "TCP", vip: "127.10.0.1", port: 53, says: '(ss -ltnp "sport = :53" names it)' },
    { code: "EADDRINUSE", protocol: "UDP", vip: "127.10.0.1", port: 53, says: '(ss -lunp "sport = :53" names it)' },
  ] as const)("with $code on $vip port $port says what to do", ({ code, vip, port, says, ...part }) => {
    const problem = bindProblem(unit({ name: "web", vip }), listenerUnit({ name: "http", port, ...part }), code);
    expect(problem).toMatchObject({ loadBalancerId: "lb", listenerId: "listener" });
    expect(problem.reason.startsWith("Cannot bind listener web/http: ")).toBe(true);
    expect(problem.reason).toContain(says);
    expect(problem.reason).not.toContain("\n");
  });
});
