import { describe, expect, it } from "@jest/globals";

import { HpackDecoder } from "../../../../src/data/l7/http2/hpack-decoder.ts";
import { HpackWriter } from "../../../../src/data/l7/http2/hpack-encoder.ts";
import { huffmanBound, huffmanDecode } from "../../../../src/data/l7/http2/hpack-huffman.ts";
import { responseHead } from "../http1-rig.ts";

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(" ", ""), "hex"));

/** Decodes a block; undefined when it is broken. */
function decode(decoder: HpackDecoder, bytes: Uint8Array): [string, string][] | undefined {
  const fields: [string, string][] = [];
  const text = ({ bytes: from, start, end }: { bytes: Uint8Array; start: number; end: number }): string =>
    Buffer.from(from.subarray(start, end)).toString("latin1");
  const isRead = decoder.decode(bytes, 0, bytes.length, {
    field: (name, value) => void fields.push([text(name), text(value)]),
  });
  return isRead ? fields : undefined;
}

function unhuffman(bytes: Uint8Array): string | undefined {
  const out = new Uint8Array(huffmanBound(bytes.length));
  const end = huffmanDecode({ bytes, start: 0, end: bytes.length }, out, 0);
  return end < 0 ? undefined : Buffer.from(out.subarray(0, end)).toString("latin1");
}

describe("the examples of RFC 7541", () => {
  const GET = [
    [":method", "GET"],
    [":scheme", "http"],
    [":path", "/"],
    [":authority", "www.example.com"],
  ];
  const GET_HTTPS = [
    [":method", "GET"],
    [":scheme", "https"],
    [":path", "/index.html"],
    [":authority", "www.example.com"],
    ["custom-key", "custom-value"],
  ];

  it.each([
    [
      "C.3, without Huffman code",
      "828684410f7777772e6578616d706c652e636f6d",
      "828684be58086e6f2d6361636865",
      "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
    ],
    [
      "C.4, with it",
      "828684418cf1e3c2e5f23a6ba0ab90f4ff",
      "828684be5886a8eb10649cbf",
      "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
    ],
  ])("%s", (_, first, second, third) => {
    const decoder = new HpackDecoder();
    expect(decode(decoder, hex(first))).toEqual(GET);
    expect(decoder.tableBytes).toBe(57);
    expect(decode(decoder, hex(second))).toEqual([...GET, ["cache-control", "no-cache"]]);
    expect(decoder.tableBytes).toBe(110);
    expect(decode(decoder, hex(third))).toEqual(GET_HTTPS);
    expect(decoder.tableBytes).toBe(164);
  });

  it("C.2.1 to C.2.4: each representation", () => {
    const decoder = new HpackDecoder();
    expect(decode(decoder, hex("400a637573746f6d2d6b65790d637573746f6d2d686561646572"))).toEqual([
      ["custom-key", "custom-header"],
    ]);
    expect(decoder.tableBytes).toBe(55);
    expect(decode(decoder, hex("040c2f73616d706c652f70617468"))).toEqual([[":path", "/sample/path"]]);
    expect(decode(decoder, hex("100870617373776f726406736563726574"))).toEqual([["password", "secret"]]);
    expect(decode(decoder, hex("82"))).toEqual([[":method", "GET"]]);
    expect(decoder.tableBytes).toBe(55);
  });
});

describe("Huffman code", () => {
  it.each([
    ["an end of the string inside", "ffffffff"],
    ["padding of zeros", "f1e3c2e5f23a6ba0ab90f400"],
    ["eight bits of padding", "f1e3c2e5f23a6ba0ab90f4ffff"],
  ])("is refused with %s", (_, code) => {
    expect(unhuffman(hex(code))).toBeUndefined();
  });

  it("knows a date and a cookie (RFC 7541 C.6)", () => {
    expect(unhuffman(hex("d07abe941054d444a8200595040b8166e082a62d1bff"))).toBe("Mon, 21 Oct 2013 20:13:21 GMT");
    const cookie = "94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007";
    expect(unhuffman(hex(cookie))).toBe("foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1");
  });
});

describe("blocks that are refused", () => {
  it.each([
    ["index 0", "80"],
    ["an index behind both tables", "be"],
    ["a string that is cut off", "0005616263"],
    ["an integer that is cut off", "ff"],
    ["an integer without end", "ffffffffffffffff"],
    ["a table larger than allowed", "3fe21f"],
    ["a change of the table's size behind a field", "8220"],
  ])("for %s", (_, code) => {
    expect(decode(new HpackDecoder(), hex(code))).toBeUndefined();
  });
});

describe("the table", () => {
  const insert = (name: string, value: string): Uint8Array =>
    Buffer.concat([Buffer.of(0x40, name.length), Buffer.from(name), Buffer.of(value.length), Buffer.from(value)]);

  it("lets go of the oldest when it is full, and of all when it shrinks", () => {
    const decoder = new HpackDecoder();
    for (let i = 0; i < 100; i++) decode(decoder, insert("a", `${i}`.padStart(100, "0")));
    expect(decoder.tableBytes).toBe(30 * 133);
    expect(decode(decoder, hex("be"))).toEqual([["a", "99".padStart(100, "0")]]);
    expect(decode(decoder, Buffer.of(62 + 29 + 128))).toEqual([["a", "70".padStart(100, "0")]]);
    expect(decode(decoder, Buffer.of(62 + 30 + 128))).toBeUndefined();
    expect(decode(decoder, hex("20be"))).toBeUndefined();
    expect(decoder.tableBytes).toBe(0);
  });

  it("takes a name from an entry that the new one drives out (RFC 7541 §4.4)", () => {
    const decoder = new HpackDecoder();
    decode(decoder, hex("3f41")); // 96 bytes
    decode(decoder, insert("name", "x".repeat(60)));
    const again = Buffer.concat([Buffer.of(0x7e, 20), Buffer.alloc(20, 0x79)]);
    expect(decode(decoder, again)).toEqual([["name", "y".repeat(20)]]);
    expect(decode(decoder, hex("be"))).toEqual([["name", "y".repeat(20)]]);
  });
});

describe("blocks that we write", () => {
  it("are read as they were meant, connection headers left out", () => {
    const head = responseHead(
      "HTTP/1.1 299 Odd\r\nServer: s\r\nX-Long: " +
        `${"x".repeat(5000)}\r\nSet-Cookie: a=1\r\nConnection: close\r\nKeep-Alive: 5\r\nTransfer-Encoding: chunked\r\nX-Empty:\r\n\r\n`,
    );
    const out = new Uint8Array(HpackWriter.bound(head.end, head.fields));
    const writer = new HpackWriter();
    writer.open(out, 0);
    writer.dropTable();
    writer.status(299);
    writer.fields(head.bytes, head.fields);
    expect(decode(new HpackDecoder(), out.subarray(0, writer.at))).toEqual([
      [":status", "299"],
      ["server", "s"],
      ["x-long", "x".repeat(5000)],
      ["set-cookie", "a=1"],
      ["x-empty", ""],
    ]);
  });
});
