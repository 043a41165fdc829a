import { constants } from "node:os";

import { describe, expect, it } from "@jest/globals";

import {
  connectTimeout,
  hostPort,
  type Operation,
  systemError,
  unmapIpv4,
  wrapError,
} from "../../../src/data/transport/system-error.ts";

const { EADDRNOTAVAIL, ECONNREFUSED, EMFILE } = constants.errno;

describe("systemError", () => {
  it.each<[Operation, number, string]>([
    [
      "listen",
      EADDRNOTAVAIL,
      "Cannot listen on [::1]:80: the address is not on this host; add it to an interface (EADDRNOTAVAIL)",
    ],
    [
      "connect",
      EADDRNOTAVAIL,
      "Cannot connect to [::1]:80: no local port is free for it; widen net.ipv4.ip_local_port_range (EADDRNOTAVAIL)",
    ],
    ["accept", EMFILE, "Cannot accept on [::1]:80: out of file descriptors; raise the limit (ulimit -n) (EMFILE)"],
    ["connect", ECONNREFUSED, "Cannot connect to [::1]:80: connection refused (ECONNREFUSED)"],
  ])("says what failed, where, why and what to do: %s, %i", (operation, errno, message) => {
    expect(systemError(operation, hostPort("::1", 80), -errno).message).toBe(message);
  });
});

describe("wrapError", () => {
  it("keeps an error that is not the system's as the cause", () => {
    const cause = Object.assign(new Error("port out of range"), { code: "ERR_SOCKET_BAD_PORT" });
    const error = wrapError("listen", "127.0.0.1:99999", cause);
    expect(error).toMatchObject({ code: "ERR_SOCKET_BAD_PORT", cause });
    expect(error.message).toBe("Cannot listen on 127.0.0.1:99999: port out of range");
  });
});

it("names the time that a connection was given", () => {
  expect(connectTimeout("192.0.2.1:80", 250)).toMatchObject({
    code: "ETIMEDOUT",
    message: "Cannot connect to 192.0.2.1:80: no answer within 250 ms (ETIMEDOUT)",
  });
});

it.each([
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["192.0.2.1", "192.0.2.1"],
  ["::ffff:0:1", "::ffff:0:1"],
  ["2001:db8::1", "2001:db8::1"],
])("unmapIpv4(%s) is %s", (address, plain) => {
  expect(unmapIpv4(address)).toBe(plain);
});
