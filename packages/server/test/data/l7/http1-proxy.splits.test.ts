import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import type { PeerServer } from "../transport/peer.ts";
import { HttpRig, receives } from "./http-rig.ts";

let rig: HttpRig;
let server: PeerServer;

beforeEach(async () => {
  rig = new HttpRig();
  server = await rig.backend();
});
afterEach(() => rig.close());

interface Message {
  readonly text: string;
  /** As it leaves. */
  readonly body: string;
}

const body = fc.string({ unit: fc.constantFrom("a", "\r", "\n", "0", ":", " "), maxLength: 40 });
const sized = body.map((text): Message => ({ text: `Content-Length: ${text.length}\r\n\r\n${text}`, body: text }));
const chunked = fc
  .array(
    body.filter((text) => text !== ""),
    { maxLength: 4 },
  )
  .map((parts): Message => {
    const chunks = [...parts.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`), "0\r\n\r\n"].join("");
    return { text: `Transfer-Encoding: chunked\r\n\r\n${chunks}`, body: chunks };
  });
const messages = fc.array(fc.oneof(sized, chunked), { minLength: 1, maxLength: 5 });
const cuts = fc.array(fc.nat(), { maxLength: 12 });

/** The text in pieces that end at the cuts. */
function pieces(text: string, at: readonly number[]): string[] {
  const ends = [...at.map((cut) => cut % text.length), text.length].toSorted((a, b) => a - b);
  return ends.map((end, index) => text.slice(ends[index - 1] ?? 0, end)).filter((piece) => piece !== "");
}

describe("however a stream is cut into pieces", () => {
  it("its messages are the same, in the same order, on both sides", async () => {
    await fc.assert(
      fc.asyncProperty(messages, messages, fc.tuple(cuts, cuts), async (requests, answers, [asked, given]) => {
        const client = await rig.client();
        const sent = requests.map(({ text }, index) => `POST /${index} HTTP/1.1\r\nHost: a\r\n${text}`).join("");
        for (const piece of pieces(sent, asked)) await client.send(piece);
        const backend = await server.next();
        let expected = "";
        let replied = "";
        for (const [index, request] of requests.entries()) {
          const answer = answers[index % answers.length] as Message;
          expected += request.body;
          await receives(backend, new RegExp(`POST /${index} `));
          const head = "HTTP/1.1 200 OK\r\n";
          await untilBodies(backend, expected.length, index + 1);
          for (const piece of pieces(`${head}${answer.text}`, given)) await backend.send(piece);
          replied += head + answer.text;
        }
        expect(bodiesOf(backend.received.toString("latin1"))).toBe(expected);
        await client.receivedAtLeast(replied.length);
        expect(client.received.toString("latin1")).toBe(replied);
        client.socket.destroy();
        backend.socket.destroy();
      }),
      { numRuns: 60 },
    );
  });
});

/** What follows the heads that we wrote; every one ends with the line that we add last. */
const bodiesOf = (text: string): string => text.replaceAll(/POST \/\d [^]*?X-Forwarded-Port: 80\r\n\r\n/g, "");

/** Waits until so many requests, with so many bytes of bodies, have come. */
async function untilBodies(peer: Awaited<ReturnType<PeerServer["next"]>>, bytes: number, heads: number): Promise<void> {
  for (;;) {
    const text = peer.received.toString("latin1");
    if ((text.match(/X-Forwarded-Port/g)?.length ?? 0) >= heads && bodiesOf(text).length >= bytes) return;
    await peer.receivedAtLeast(peer.receivedBytes + 1);
  }
}
