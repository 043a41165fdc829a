import { expect, test } from "@jest/globals";

import { parseTarget } from "../../src/gobgp/target.ts";

test("sockets and URLs", () => {
  expect(parseTarget("unix:///run/gobgp.sock")).toEqual({ kind: "unix", path: "/run/gobgp.sock" });
  expect(parseTarget("unix:///run/go%20bgp.sock")).toEqual({ kind: "unix", path: "/run/go bgp.sock" });
  expect(parseTarget("http://127.0.0.1:50051")).toEqual({ kind: "http", baseUrl: "http://127.0.0.1:50051" });
  expect(parseTarget("https://gobgp.example:50051/")).toEqual({
    kind: "https",
    baseUrl: "https://gobgp.example:50051",
  });
});

test.each(["", "/run/gobgp.sock", "unix://run/gobgp.sock", "unix:///", "127.0.0.1:50051", "ftp://host"])(
  "%j is refused, with what would be right",
  (text) => {
    expect(() => parseTarget(text)).toThrow(
      "gobgp must be unix:///path/to/socket, http://host:port or https://host:port",
    );
  },
);
