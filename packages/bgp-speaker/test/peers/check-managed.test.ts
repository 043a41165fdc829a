import { describe, expect, test } from "@jest/globals";

import type { ManagedBgp, Peer } from "../../src/index.ts";
import { checkManaged } from "../../src/peers/check-managed.ts";

const peer = { address: "10.0.0.254", asn: 64_500 } as Peer;
const managed = { asn: 64_512, routerId: "10.0.0.1", peers: [peer] } as unknown as ManagedBgp;
const withPeer = (settings: Partial<Record<keyof Peer, unknown>>) =>
  checkManaged({ ...managed, peers: [{ ...peer, ...settings } as Peer] });

test("fills in what is not said", () => {
  expect(checkManaged(managed)).toEqual({
    global: { asn: 64_512, routerId: "10.0.0.1", listenPort: 179, listenAddresses: [] },
    peers: [
      {
        settings: {
          address: "10.0.0.254",
          asn: 64_500,
          port: 179,
          holdTimeS: 9,
          keepaliveS: 3,
          connectRetryS: 5,
          multihopTtl: 0,
          localAddress: "",
          passive: false,
          restartTimeS: 0,
        },
        password: { text: "" },
      },
    ],
  });
});

test("reads everything that can be said", () => {
  const [one] = withPeer({
    port: 1790,
    passwordFile: "/run/bgp-password",
    holdTimeS: 3,
    keepaliveS: 1,
    connectRetryS: 1,
    multihopTtl: 2,
    localAddress: "10.0.0.1",
    passive: true,
    bfd: {},
    gracefulRestart: { restartTimeS: 120 },
  }).peers;
  expect(one).toEqual({
    settings: {
      address: "10.0.0.254",
      asn: 64_500,
      port: 1790,
      holdTimeS: 3,
      keepaliveS: 1,
      connectRetryS: 1,
      multihopTtl: 2,
      localAddress: "10.0.0.1",
      passive: true,
      bfd: { intervalUs: 100_000, multiplier: 3 },
      restartTimeS: 120,
    },
    password: { file: "/run/bgp-password" },
  });
});

describe("refuses, and names the setting", () => {
  test.each<[string, Partial<Record<keyof ManagedBgp, unknown>>]>([
    ["manage.asn must be a whole number from 1 to 4294967295, not 0", { asn: 0 }],
    ["manage.asn must be", { asn: 4_294_967_296 }],
    ["manage.routerId must be an IPv4 address other than 0.0.0.0", { routerId: "2001:db8::1" }],
    ["manage.routerId must be", { routerId: "0.0.0.0" }],
    ["manage.listenPort must be", { listenPort: -2 }],
    ["manage.listenAddresses must be an IPv4 or IPv6 address", { listenAddresses: ["lan0"] }],
    ["manage.peers has 10.0.0.254 twice", { peers: [peer, peer] }],
    ["nobody could connect", { listenPort: -1, peers: [{ ...peer, passive: true }] }],
  ])("%s", (message, settings) => {
    expect(() => checkManaged({ ...managed, ...settings } as ManagedBgp)).toThrow(message);
  });

  test.each<[string, Partial<Record<keyof Peer, unknown>>]>([
    ["manage.peers: address must be an IPv4 or IPv6 address", { address: "router" }],
    ["peer 10.0.0.254: asn must be a whole number from 1", { asn: 0 }],
    ["peer 10.0.0.254: holdTimeS must be a whole number from 3", { holdTimeS: 2 }],
    ["peer 10.0.0.254: keepaliveS must be a whole number from 1 to 8", { keepaliveS: 9 }],
    ["peer 10.0.0.254: connectRetryS must be", { connectRetryS: 0 }],
    ["peer 10.0.0.254: multihopTtl must be a whole number from 2", { multihopTtl: 1 }],
    ["multihopTtl is for routers of another AS", { asn: 64_512, multihopTtl: 2 }],
    ["peer 10.0.0.254: port must be", { port: 0 }],
    ["peer 10.0.0.254: localAddress must be", { localAddress: "lan0" }],
    ["peer 10.0.0.254: bfd.intervalMs must be a whole number from 10", { bfd: { intervalMs: 1 } }],
    ["peer 10.0.0.254: bfd.multiplier must be", { bfd: { multiplier: 1 } }],
    ["peer 10.0.0.254: gracefulRestart.restartTimeS must be", { gracefulRestart: { restartTimeS: 4096 } }],
    ["peer 10.0.0.254: give password or passwordFile, not both", { password: "a", passwordFile: "b" }],
    ["peer 10.0.0.254: the password is empty", { password: "" }],
    ["peer 10.0.0.254: the password has 81 bytes: TCP MD5 takes up to 80", { password: "x".repeat(81) }],
  ])("%s", (message, settings) => {
    expect(() => withPeer(settings)).toThrow(message);
  });

  test("a password, without showing it", () => {
    expect(() => withPeer({ password: "s3cret".repeat(20) })).not.toThrow("s3cret");
  });
});
