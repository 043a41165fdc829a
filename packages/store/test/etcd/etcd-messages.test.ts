import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "@jest/globals";

import { BatchAssembly } from "../../src/etcd/batch-assembly.ts";
import { classify, NoAnswer, NotConnected, refusal } from "../../src/etcd/failure.ts";
import { KeySpace } from "../../src/etcd/key-space.ts";
import { fromLeaseId, toLeaseId } from "../../src/etcd/lease-id.ts";
import { WatchResponseSchema } from "../../src/gen/etcd/etcd_pb.ts";
import { ALL_KEYS, END_OF_KEYS, keyAfter, type LeaseId, openEtcdStore, prefixRange } from "../../src/index.ts";
import { brief, bytes } from "../contract/fixture.ts";

describe("the keys of a store inside etcd's", () => {
  const text = (part: Uint8Array | undefined): string => Buffer.from(part ?? []).toString();

  test("a prefix is put before every key, and taken off", () => {
    const keys = new KeySpace("/é/");
    expect(text(keys.encode("k"))).toBe("/é/k");
    expect(keys.decode(keys.encode("k/ü"))).toBe("k/ü");
  });

  test.each([
    ["all keys", "/p/", ALL_KEYS, ["/p/", "/p0"]],
    ["a prefix", "/p/", prefixRange("a/"), ["/p/a/", "/p/a0"]],
    ["what follows a key", "/p/", { start: keyAfter("a"), end: END_OF_KEYS }, ["/p/a\0", "/p0"]],
    ["all keys without a prefix, as etcd writes it", "", ALL_KEYS, ["\0", "\0"]],
    ["a range without a prefix", "", { start: "a", end: "b" }, ["a", "b"]],
  ])("%s", (_what, prefix, range, expected) => {
    const bounds = new KeySpace(prefix).range(range);
    expect([text(bounds?.key), text(bounds?.rangeEnd)]).toEqual(expected);
  });

  test("a range that holds no key is no range of etcd's, which would take it for one key or an error", () => {
    expect(new KeySpace("/p/").range({ start: "b", end: "b" })).toBeUndefined();
    expect(new KeySpace("").range({ start: "b", end: "a" })).toBeUndefined();
  });
});

test("leases are named as etcdctl names them; other names are nobody's", () => {
  expect(toLeaseId(0x1234n)).toBe("0000000000001234");
  expect(fromLeaseId(toLeaseId(0x7fff_ffff_ffff_ffffn))).toBe(0x7fff_ffff_ffff_ffffn);
  for (const name of ["", "1", "x", "0000000000000000", "ffffffffffffffff", "00000000000012345"]) {
    expect(fromLeaseId(name as LeaseId)).toBeUndefined();
  }
});

describe("what a failed attempt allows", () => {
  const system = (code: string) => Object.assign(new Error(code), { code });
  test.each([
    ["no connection", new NotConnected("refused"), "unsent"],
    ["a refused connection", new ConnectError("x", Code.Unavailable, {}, [], system("ECONNREFUSED")), "unsent"],
    ["a name without an address", new ConnectError("x", Code.Unavailable, {}, [], system("ENOTFOUND")), "unsent"],
    ["a member without a leader", new ConnectError("etcdserver: no leader", Code.Unavailable), "unsent"],
    [
      "a member with too much to do",
      new ConnectError("etcdserver: too many requests", Code.ResourceExhausted),
      "unsent",
    ],
    [
      "a refused stream",
      new ConnectError("Stream closed with error code NGHTTP2_REFUSED_STREAM", Code.Unavailable),
      "unsent",
    ],
    ["a timeout inside etcd", new ConnectError("etcdserver: request timed out", Code.Unavailable), "lost"],
    ["a stop of etcd", new ConnectError("etcdserver: server stopped", Code.Unavailable), "lost"],
    ["3.4's word for a lost quorum", new ConnectError("context deadline exceeded", Code.Unknown), "lost"],
    ["a reset connection", new ConnectError("read ECONNRESET", Code.Aborted, {}, [], system("ECONNRESET")), "lost"],
    ["a closed stream", new ConnectError("http/2 stream closed with error code CANCEL (0x8)", Code.Canceled), "lost"],
    ["silence", new NoAnswer("no answer within 2000 ms"), "lost"],
    ["an old token", new ConnectError("etcdserver: invalid auth token", Code.Unauthenticated), "unauthenticated"],
    ["no token", new ConnectError("etcdserver: user name is empty", Code.InvalidArgument), "unauthenticated"],
    ["a wrong request", new ConnectError("etcdserver: duplicate key given", Code.InvalidArgument), "refused"],
    ["no permission", new ConnectError("etcdserver: permission denied", Code.PermissionDenied), "refused"],
  ])("%s", (_what, error, kind) => {
    expect(classify(error)).toEqual({ kind, error });
  });

  test("a full database is FULL, with what to do", () => {
    const full = new ConnectError("etcdserver: mvcc: database space exceeded", Code.ResourceExhausted);
    expect(refusal("the transaction", full)).toMatchObject({
      code: "FULL",
      message: expect.stringMatching(/^etcd refuses the transaction: its database is full; .*etcdctl alarm disarm$/),
    });
  });

  test("a damaged one is CORRUPT, a request that is too large INVALID", () => {
    expect(refusal("the read", new ConnectError("etcdserver: corrupt cluster", Code.DataLoss)).code).toBe("CORRUPT");
    const large = new ConnectError("etcdserver: request is too large", Code.InvalidArgument);
    expect(refusal("the transaction", large).code).toBe("INVALID");
  });
});

describe("transactions out of fragments", () => {
  const message = (fragment: boolean, ...events: readonly [key: string, revision: number][]) =>
    create(WatchResponseSchema, {
      fragment,
      events: events.map(([key, revision]) => ({
        kv: { key: bytes(key), value: bytes("v"), modRevision: BigInt(revision), version: 1n },
      })),
    });

  test("one that is split anywhere is delivered when its last part has come, those before it at once", () => {
    const assembly = new BatchAssembly(new KeySpace(""));
    expect(brief(assembly.add(message(true, ["a", 5], ["b", 5], ["c", 6])))).toEqual(["5 put a=v put b=v"]);
    expect(assembly.add(message(true, ["d", 6]))).toEqual([]);
    expect(brief(assembly.add(message(false, ["e", 6], ["f", 7])))).toEqual(["6 put c=v put d=v put e=v", "7 put f=v"]);
  });

  test("a last fragment without events ends it, too", () => {
    const assembly = new BatchAssembly(new KeySpace(""));
    assembly.add(message(true, ["a", 5]));
    expect(brief(assembly.add(message(false)))).toEqual(["5 put a=v"]);
  });
});

describe("options that cannot be", () => {
  const endpoints = ["http://127.0.0.1:2379"];
  test.each([
    [{ endpoints: [] }, "no endpoints"],
    [{ endpoints: ["127.0.0.1:2379"] }, 'endpoint "127.0.0.1:2379" is no URL like http://127.0.0.1:2379'],
    [{ endpoints: ["http://user@127.0.0.1:2379"] }, "is no URL"],
    [{ endpoints, tls: {} }, "is cleartext while tls is set: write https://"],
    [{ endpoints, username: "u" }, "username and password go together"],
    [{ endpoints: ["https://a:2379"], tls: { cert: "c" } }, "tls.cert and tls.key go together"],
    [{ endpoints, prefix: "lb" }, 'prefix "lb" must end with "/"'],
    [{ endpoints, prefix: `${"p".repeat(32)}/` }, "prefix is longer than 32 bytes"],
  ])("%j", async (options, problem) => {
    const opened = openEtcdStore(options);
    await expect(opened).rejects.toMatchObject({ code: "INVALID", message: expect.stringContaining(problem) });
  });
});
