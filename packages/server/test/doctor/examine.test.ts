import { describe, expect, it } from "@jest/globals";

import { type Config, parseConfig } from "../../src/config/config.ts";
import { examine } from "../../src/doctor/examine.ts";
import type { DirectReturnBackend, DirectReturnFacts, DoctorFacts } from "../../src/doctor/facts.ts";
import type { Finding } from "../../src/doctor/finding.ts";

/** A host that lacks nothing. */
const FIT: DoctorFacts = {
  ports: { api: "free", admin: "free" },
  nodeRuns: false,
  openFiles: 1_048_576,
  capabilities: { netAdmin: true, netBindService: true },
  unprivilegedPortStart: 1024,
  programs: { ip: "ip utility, iproute2-6.1.0", nft: "nftables v1.0.6", conntrack: true, arping: true },
  conntrack: { count: 10, max: 1_048_576 },
  sysctls: {
    "net.ipv4.ip_forward": "1",
    "net.ipv6.conf.all.forwarding": "1",
    "net.ipv4.tcp_migrate_req": "1",
    "net.core.somaxconn": "4096",
    "net.core.rmem_max": "8388608",
    "net.ipv4.ip_local_port_range": "10240\t65535",
  },
  reversePathFilters: { all: 0, default: 1, lo: 1, eth0: 2 },
  networks: [{ interface: "eth0", cidr: "192.0.2.1/24" }],
  links: {},
  packetSocket: "",
  directReturn: { backends: [{ address: "192.0.2.9", interface: "eth0", neighbour: "reachable" }], claimed: [] },
  wildcardSockets: [],
  store: { path: "/var/lib/fiberlb/fiberlb.db", folder: "/var/lib/fiberlb", isWritable: true, freeBytes: 2 ** 34 },
  gobgp: undefined,
  keyFile: { path: "/var/lib/fiberlb/fiberlb.key", mode: 0o600 },
  epochMs: Date.UTC(2026, 5, 1),
};

/** Findings by check, as a node with these flags and this driver would see them. */
function findings(facts: Partial<DoctorFacts>, flags: Readonly<Record<string, unknown>> = {}): Map<string, Finding> {
  const { l4 = "auto", ...others } = flags as { l4?: Config["dataPlane"]["l4"] };
  const parsed = parseConfig({ env: {}, flags: others });
  if (!parsed.ok) throw new Error(parsed.problems.join("\n"));
  const config = { ...parsed.config, dataPlane: { ...parsed.config.dataPlane, l4 } };
  const sections = examine({ ...FIT, ...facts }, config);
  return new Map(sections.flatMap((section) => section.findings.map((finding) => [finding.check, finding] as const)));
}

const CLAIM = { vip: "203.0.113.1", interface: "eth0", by: "02:00:00:00:00:09" };
const dsr = (part: Partial<DirectReturnBackend>, claimed: DirectReturnFacts["claimed"] | null = []) => ({
  directReturn: { backends: [{ ...FIT.directReturn!.backends[0]!, ...part }], claimed: claimed ?? undefined },
});
const pool = (...cidrs: string[]) => ({ vipPools: [{ name: "public", cidrs }] });
/** On the link of the fit host's interface. */
const onLink = (...cidrs: string[]) => ({
  vipPools: [{ name: "public", cidrs, announce: { kind: "l2", interface: "eth0" } }],
});
const sysctl = (name: string, value: string | undefined) => ({ sysctls: { ...FIT.sysctls, [name]: value } });

it("finds nothing wrong with a host that has everything", () => {
  for (const { check, state } of findings({}).values()) {
    expect({ check, state }).toEqual({ check, state: ["GoBGP", "VIPs by l2"].includes(check) ? "skipped" : "ok" });
  }
});

it("names each check once, and says what to do about everything that is not ok", () => {
  const bare: DoctorFacts = {
    ...FIT,
    capabilities: { netAdmin: false, netBindService: false },
    programs: { ip: undefined, nft: undefined, conntrack: false, arping: false },
    sysctls: {},
    openFiles: 1024,
  };
  const parsed = parseConfig({ env: {}, flags: {} });
  if (!parsed.ok) throw new Error(parsed.problems.join("\n"));
  const all = examine(bare, parsed.config).flatMap((section) => section.findings);
  expect(new Set(all.map(({ check }) => check)).size).toBe(all.length);
  for (const { state, fix } of all) expect(fix !== undefined).toBe(state === "warning" || state === "failed");
});

describe("what is found", () => {
  it.each<[string, Partial<DoctorFacts>, Readonly<Record<string, unknown>>, Finding["state"], RegExp]>([
    ["DSR backends", { directReturn: undefined as never }, {}, "skipped", /no pool with forwarding DSR/],
    ["DSR backends", dsr({ neighbour: "unreachable" }), {}, "warning", /nobody answers for 192.0.2.9 on the link/],
    ["DSR backends", dsr({ neighbour: "absent" }), {}, "warning", /link address of 192.0.2.9 is not known/],
    ["DSR backends", dsr({ neighbour: "stale" }), {}, "ok", /all have a link address/],
    ["DSR links", dsr({ interface: undefined }), {}, "warning", /192.0.2.9: in no subnet of this host/],
    ["DSR VIPs", dsr({}, null), {}, "skipped", /needs arping/],
    ["DSR VIPs", dsr({}, [CLAIM]), {}, "warning", /02:00:00:00:00:09 answers for 203.0.113.1 on eth0/],
    ["API port", { ports: { api: "EADDRINUSE", admin: "free" } }, {}, "failed", /127.0.0.1:9080 is in use by another/],
    ["API port", { ports: { api: "EADDRINUSE", admin: "free" }, nodeRuns: true }, {}, "ok", /a node runs/],
    ["admin port", { ports: { api: "free", admin: "EADDRNOTAVAIL" } }, {}, "failed", /no address of this host/],
    ["admin port", { ports: { api: "free", admin: "EACCES" } }, {}, "failed", /needs a privilege/],
    ["admin port", { ports: { api: "free", admin: "EWEIRD" } }, {}, "failed", /EWEIRD/],
    ["open files", { openFiles: 1024 }, {}, "warning", /about 512 connections/],
    ["open files", { openFiles: Number.MAX_SAFE_INTEGER }, {}, "ok", /no limit/],
    ["open files", { openFiles: undefined }, {}, "skipped", /does not tell/],
    ["ports below 1024", { capabilities: { netAdmin: true, netBindService: false } }, {}, "warning", /from 1024 on/],
    [
      "ports below 1024",
      { capabilities: { netAdmin: true, netBindService: false }, unprivilegedPortStart: 0 },
      {},
      "ok",
      /from 0 on/,
    ],
    ["address binding", { capabilities: { netAdmin: false, netBindService: true } }, {}, "warning", /CAP_NET_ADMIN/],
    ["address binding", { programs: { ...FIT.programs, ip: undefined } }, {}, "failed", /not installed/],
    [
      "address binding",
      { programs: { ...FIT.programs, ip: undefined } },
      { "dataPlane.bind": "existing" },
      "ok",
      /by you/,
    ],
    ["tcp_migrate_req", sysctl("net.ipv4.tcp_migrate_req", "0"), {}, "warning", /reset connections/],
    ["tcp_migrate_req", sysctl("net.ipv4.tcp_migrate_req", undefined), {}, "warning", /kernel has none/],
    ["accept queue", sysctl("net.core.somaxconn", "128"), {}, "warning", /somaxconn is 128/],
    ["UDP buffer", sysctl("net.core.rmem_max", "212992"), {}, "warning", /rmem_max is 212,992/],
    ["outgoing ports", sysctl("net.ipv4.ip_local_port_range", "60000 60999"), {}, "warning", /1,000 connections/],
    ["VIPs on the link", {}, pool("192.0.2.128/25"), "warning", /public in 192.0.2.1\/24 of eth0/],
    ["VIPs on the link", {}, pool("192.0.0.0/16"), "warning", /public/],
    ["VIPs on the link", {}, pool("192.0.2.9-192.0.2.12"), "warning", /public/],
    ["VIPs on the link", {}, pool("203.0.113.0/24", "2001:db8::/64"), "ok", /no VIP pool/],
    ["wildcard sockets", { wildcardSockets: [{ protocol: "tcp", port: 22 }] }, {}, "warning", /tcp 22/],
    ["wildcard sockets", { wildcardSockets: [{ protocol: "tcp", port: 9081 }] }, {}, "ok", /no other program/],
    ["nftables", { programs: { ...FIT.programs, nft: undefined } }, {}, "warning", /not installed/],
    ["nftables", { programs: { ...FIT.programs, nft: undefined } }, { l4: "nftables" }, "failed", /not installed/],
    ["nftables", { capabilities: { netAdmin: false, netBindService: true } }, {}, "warning", /no CAP_NET_ADMIN/],
    ["nftables", { programs: { ...FIT.programs, conntrack: false } }, {}, "warning", /conntrack is not installed/],
    ["kernel forwarding", {}, { l4: "userspace" }, "skipped", /userspace/],
    ["ip_forward", sysctl("net.ipv4.ip_forward", "0"), {}, "warning", /is 0/],
    ["ip_forward", sysctl("net.ipv4.ip_forward", "0"), { l4: "nftables" }, "failed", /is 0/],
    ["ip_forward", sysctl("net.ipv6.conf.all.forwarding", "0"), {}, "ok", /on for IPv4/],
    ["nf_conntrack_max", { conntrack: { count: 900, max: 1000 } }, {}, "failed", /900 of 1,000/],
    ["nf_conntrack_max", { conntrack: { count: 1, max: 65_536 } }, {}, "warning", /65,536/],
    ["nf_conntrack_max", { conntrack: undefined }, {}, "skipped", /follows no connections/],
    ["rp_filter", { reversePathFilters: { all: 0, default: 1, eth0: 1, lo: 1 } }, {}, "warning", /strict on eth0:/],
    ["rp_filter", { reversePathFilters: { all: 2, default: 1, eth0: 1 } }, {}, "ok", /loose/],
    ["rp_filter", { reversePathFilters: { all: 1, eth0: 0 } }, {}, "warning", /strict on eth0:/],
    ["VIPs on the link", {}, onLink("192.0.2.128/25"), "ok", /no VIP pool/],
    ["VIPs by l2", {}, pool("192.0.2.128/25"), "skipped", /no VIP pool has/],
    ["interface eth0", { links: { eth0: "" } }, onLink("192.0.2.128/25"), "ok", /up/],
    ["interface eth0", { links: { eth0: "interface eth0 is down" } }, onLink("192.0.2.128/25"), "failed", /is down/],
    ["pool public on eth0", {}, onLink("192.0.2.128/25"), "ok", /in the interface's network/],
    [
      "pool public on eth0",
      {},
      onLink("192.0.2.128/25", "2001:db8::/64"),
      "warning",
      /^2001:db8::\/64 is in no network/,
    ],
    ["addresses on the link", {}, onLink("192.0.2.128/25"), "ok", /CAP_NET_ADMIN/],
    [
      "addresses on the link",
      { capabilities: { netAdmin: false, netBindService: true } },
      onLink("192.0.2.128/25"),
      "failed",
      /need CAP_NET_ADMIN/,
    ],
    ["net.ipv4.ip_nonlocal_bind", sysctl("net.ipv4.ip_nonlocal_bind", "1"), onLink("192.0.2.128/25"), "ok", /1/],
    [
      "net.ipv6.ip_nonlocal_bind",
      sysctl("net.ipv6.ip_nonlocal_bind", "0"),
      onLink("2001:db8::/64"),
      "warning",
      /sets it to 1/,
    ],
    ["gratuitous ARP", {}, onLink("192.0.2.128/25"), "ok", /packet socket/],
    ["gratuitous ARP", { packetSocket: "needs CAP_NET_RAW" }, onLink("192.0.2.128/25"), "warning", /program arping/],
    ["gratuitous ARP", { packetSocket: "needs CAP_NET_RAW" }, onLink("2001:db8::/64"), "warning", /grows old/],
    ["store", { store: undefined }, {}, "skipped", /in memory/],
    ["store", { store: undefined, etcd: { endpoints: ["http://a:2379"] } }, {}, "ok", /^etcd at http:\/\/a:2379$/],
    [
      "store",
      { store: undefined, etcd: { endpoints: [], problem: "Cannot reach etcd" } },
      {},
      "failed",
      /Cannot reach/,
    ],
    ["store", { store: { ...FIT.store!, isWritable: false } }, {}, "failed", /\/var\/lib\/fiberlb cannot be written/],
    ["store", { store: { ...FIT.store!, freeBytes: 2 ** 20 } }, {}, "warning", /1 MiB free/],
    ["key file", { keyFile: { path: "/k", mode: 0o640 } }, {}, "failed", /mode 0640/],
    ["key file", { keyFile: undefined }, {}, "skipped", /first start/],
    ["key file", { keyFile: undefined, etcd: { endpoints: [] } }, {}, "failed", /none at secrets\.keyFile/],
    ["clock", { epochMs: 0 }, {}, "failed", /1970-01-01T00:00:00Z is in the past/],
    ["clock", { store: { ...FIT.store!, modifiedAtMs: FIT.epochMs + 3_600_000 } }, {}, "failed", /later/],
    ["clock", { store: { ...FIT.store!, modifiedAtMs: FIT.epochMs + 1000 } }, {}, "ok", /2026-06-01/],
  ])("%s: %j with %j is %s", (check, facts, flags, state, found) => {
    expect(findings(facts, flags).get(check)).toMatchObject({ state, found: expect.stringMatching(found) });
  });
});

describe("GoBGP", () => {
  const bgp = (part: object = {}) => ({
    bgp: { asn: 64512, routerId: "10.0.0.1", peers: [{ address: "10.0.0.254", asn: 64500 }], ...part },
  });
  const daemon = (part: Partial<NonNullable<DoctorFacts["gobgp"]>> = {}) => ({
    gobgp: { address: "unix:///run/gobgp.sock", generation: 4 as const, asn: 0, problem: "", ...part },
  });

  it("is not needed without a section bgp", () => {
    expect(findings({}).get("GoBGP")?.state).toBe("skipped");
  });

  it.each<[string, object, object, Finding["state"]]>([
    ["answers and has nothing configured", {}, daemon(), "ok"],
    ["is set up as it should be", {}, daemon({ asn: 64512 }), "ok"],
    ["does not answer", {}, daemon({ generation: undefined, problem: "there is no socket" }), "failed"],
    ["is of another AS", {}, daemon({ asn: 64513 }), "failed"],
    ["should have its own configuration and has none", { manage: false, peers: [] }, daemon(), "failed"],
    ["has its own configuration", { manage: false, peers: [] }, daemon({ asn: 64513 }), "ok"],
    [
      "is too old for BFD",
      { peers: [{ address: "10.0.0.254", asn: 1, bfd: {} }] },
      daemon({ generation: 3 }),
      "warning",
    ],
  ])("that %s", (_, part, facts, state) => {
    const finding = findings(facts, bgp(part)).get("GoBGP");
    expect(finding?.state).toBe(state);
    expect(finding?.found).toContain("unix:///run/gobgp.sock");
    expect(finding?.fix === undefined).toBe(state === "ok");
  });
});
