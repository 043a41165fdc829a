import { once } from "node:events";
import { duplexPair } from "node:stream";
import tls from "node:tls";

import { beforeAll, describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { MAX_CLIENT_HELLO_BYTES, parseClientHello } from "../../../src/data/l4/client-hello.ts";
import { FUZZ_RUNS } from "../l7/http1-fuzz.ts";
import { flipped } from "./mutations.ts";

/** What Node's own client sends first. */
async function helloOf(options: tls.ConnectionOptions): Promise<Buffer> {
  const [near, wire] = duplexPair();
  const client = tls.connect({ socket: near, ...options });
  client.on("error", () => undefined);
  const [bytes] = (await once(wire, "data")) as [Buffer];
  client.destroy();
  return bytes;
}

const fill = (length: number): number[] => Array.from({ length }, () => 7);
const u16 = (value: number): number[] => [value >> 8, value & 0xff];
const vector = (body: readonly number[]): number[] => [...u16(body.length), ...body];
const ascii = (text: string): number[] => [...Buffer.from(text, "latin1")];
const nameOf = (name: string): number[] => [0, 0, ...vector(vector([0, ...vector(ascii(name))]))];
/** The message of a hello with these extensions; undefined = it has none at all. */
function message(extensions: readonly number[] | undefined): number[] {
  const body = [3, 3, ...fill(32), 0, ...vector([0x13, 0x01]), 1, 0];
  const all = extensions === undefined ? body : [...body, ...vector(extensions)];
  return [1, 0, ...u16(all.length), ...all];
}
const record = (payload: readonly number[]): number[] => [22, 3, 1, ...vector(payload)];
const hello = (extensions: readonly number[] | undefined): Buffer => Buffer.from(record(message(extensions)));

let node: Buffer;
beforeAll(async () => {
  node = await helloOf({ servername: "Shop.Example.com", ALPNProtocols: ["h2"] });
});

describe("the server name", () => {
  it("is what Node's client asks for", async () => {
    expect(parseClientHello(node)).toEqual({ kind: "hello", serverName: "shop.example.com" });
    const old = await helloOf({ servername: "old.example", maxVersion: "TLSv1.2" });
    expect(parseClientHello(old)).toEqual({ kind: "hello", serverName: "old.example" });
    expect(parseClientHello(await helloOf({}))).toEqual({ kind: "hello", serverName: undefined });
  });

  it.each<[string, number[] | undefined, string | undefined]>([
    ["no extensions", undefined, undefined],
    ["no server name", [0, 43, ...vector([2, 3, 4])], undefined],
    ["a name in capitals, with a dot at its end", nameOf("A_b-C.Example."), "a_b-c.example"],
    ["an address, which some clients send", nameOf("192.0.2.1"), "192.0.2.1"],
  ])("with %s", (_what, extensions, serverName) =>
    expect(parseClientHello(hello(extensions))).toEqual({ kind: "hello", serverName }),
  );

  it("is found in a hello of several records, each as small as it likes", () => {
    const whole = message(nameOf("split.example"));
    const split = Buffer.from(whole.flatMap((byte) => record([byte])));
    expect(parseClientHello(split)).toEqual({ kind: "hello", serverName: "split.example" });
  });

  it("does not depend on what follows the hello", () => {
    const more = Buffer.concat([node, Buffer.from("\x14\x03\x03\x00\x01\x01 and anything", "latin1")]);
    expect(parseClientHello(more)).toEqual({ kind: "hello", serverName: "shop.example.com" });
  });
});

/** So many records of one byte. */
const endless = (count: number): number[] => Array.from({ length: count }, () => record([7])).flat();

describe("no TLS", () => {
  it.each<[string, Buffer]>([
    ["HTTP", Buffer.from("GET / HTTP/1.1\r\n")],
    ["SSL 2", Buffer.from([0x80, 0x2e, 1, 0, 2])],
    ["another version", Buffer.from([22, 2, 0, 0, 5])],
    ["an alert", Buffer.from([21, 3, 1, 0, 2, 2, 40])],
  ])("%s", (_what, bytes) => expect(parseClientHello(bytes)).toEqual({ kind: "not-tls" }));
});

describe("refused", () => {
  it.each<[string, Buffer]>([
    ["an empty record", Buffer.from([22, 3, 1, 0, 0])],
    ["a record that is too long", Buffer.from([22, 3, 1, 0x40, 1])],
    ["another message", Buffer.from(record([2, 0, 0, 1, 0]))],
    ["a hello that is too long", Buffer.from(record([1, 0, ...u16(MAX_CLIENT_HELLO_BYTES + 1)]))],
    ["an alert in the middle of the hello", Buffer.from([...record([1, 0]), 21, 3, 1, 0, 2, 2, 40])],
    ["more records than any client makes", Buffer.from([...record([1, 0, 0x20, 0]), ...endless(127)])],
    ["a message that is cut", Buffer.from(record([1, 0, 0, 3, 3, 3, 7]))],
    ["two names in two extensions", hello([...nameOf("a.example"), ...nameOf("b.example")])],
    ["two names in one", hello([0, 0, ...vector(vector([0, ...vector(ascii("a")), 0, ...vector(ascii("b"))]))])],
    ["a name of another type", hello([0, 0, ...vector(vector([1, ...vector(ascii("a"))]))])],
    ["an empty name", hello(nameOf(""))],
    ["a name with a space", hello(nameOf("a b"))],
    ["a name with a NUL", hello(nameOf("a\0b"))],
    ["a label that is too long", hello(nameOf(`${"a".repeat(64)}.example`))],
    ["a name that is too long", hello(nameOf(`${"a.".repeat(128)}a`))],
    ["an extension longer than the hello", hello([0, 0, 0, 9, 0])],
  ])("%s", (_what, bytes) => expect(parseClientHello(bytes)).toMatchObject({ kind: "failed" }));
});

describe("anything else", () => {
  it("is incomplete until its last byte has come", () => {
    for (let cut = 0; cut < node.length; cut++) {
      expect(parseClientHello(node.subarray(0, cut))).toEqual({ kind: "incomplete" });
    }
  });

  it("is never read beyond its end, never throws, and means the same in pieces", () => {
    const split = Buffer.from(message(nameOf("split.example")).flatMap((byte) => record([byte])));
    const seeds = [hello(nameOf("a.example")), hello(undefined), split, node];
    fc.assert(
      fc.property(fc.oneof(flipped(seeds), fc.uint8Array({ maxLength: 300 })), (input) => {
        const whole = parseClientHello(input);
        const inside = Buffer.concat([Buffer.from([22, 3, 1]), input, Buffer.alloc(8, 1)]);
        expect(parseClientHello(inside.subarray(3, 3 + input.length))).toEqual(whole);
        let first = 0;
        while (first < input.length && parseClientHello(input.subarray(0, first)).kind === "incomplete") first += 7;
        const verdict = parseClientHello(input.subarray(0, Math.min(first, input.length)));
        if (verdict.kind === "hello") expect(whole).toEqual(verdict);
        expect(whole.kind).toBe(verdict.kind);
      }),
      { numRuns: FUZZ_RUNS },
    );
  });
});
