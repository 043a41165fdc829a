import { once } from "node:events";
import http2 from "node:http2";
import type { Duplex } from "node:stream";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { pattern } from "../peer.ts";
import { type CreateTransport, type Pair, Rig } from "./rig.ts";

const nothing = new Uint8Array();

/** Connections that Node's own protocols take over. */
export function duplexContract(create: CreateTransport): void {
  describe.each(["cleartext", "TLS"] as const)("%s", (wire) => {
    let rig: Rig;
    beforeEach(() => void (rig = new Rig(create, { wire })));
    afterEach(() => rig.close());

    describe.each(["accepted", "outgoing"] as const)("%s connection", (kind) => {
      it("goes on as a stream, with what was read already first", async () => {
        const { connection, recorder, peer } = await rig[kind]();
        await peer.send("one ");
        await recorder.receivedAtLeast(4);
        const events = [...recorder.events];
        const duplex = connection.toDuplex(Buffer.from("unread "));
        await peer.send("two ");
        peer.socket.end("three");
        expect(await textOf(duplex)).toBe("unread two three");
        duplex.end("answer");
        await Promise.all([peer.end(), once(duplex, "close")]);
        expect(peer.received.toString()).toBe("answer");
        expect(recorder.events).toEqual(events);
      });

      it("carries megabytes both ways as a stream", async () => {
        const { connection, peer } = await rig[kind]();
        const bytes = pattern(4 * 1024 * 1024);
        const duplex = connection.toDuplex(nothing);
        duplex.end(bytes);
        peer.socket.end(bytes);
        const [received] = await Promise.all([bytesOf(duplex), peer.end()]);
        expect(received.equals(bytes)).toBe(true);
        expect(peer.received.equals(bytes)).toBe(true);
      });

      it("ends when the stream is destroyed", async () => {
        const { connection, peer } = await rig[kind]();
        const duplex = connection.toDuplex(nothing);
        duplex.destroy();
        await once(duplex, "close");
        peer.socket.end();
        await peer.read().closed;
        expect(duplex.destroyed).toBe(true);
      });

      it("does nothing as a connection any more", async () => {
        const { connection, recorder, peer } = await rig[kind]();
        const duplex = connection.toDuplex(nothing);
        connection.write(Buffer.from("lost"));
        connection.close();
        connection.reset();
        duplex.end("kept");
        await peer.end();
        expect(peer.received.toString()).toBe("kept");
        expect(recorder.closed).toBe(false);
        peer.socket.end();
        await once(duplex.resume(), "close");
      });
    });

    it("serves HTTP/2 to a client whose preface was read already", async () => {
      const pair = await rig.accepted();
      const client = http2.connect("http://server.test", { createConnection: () => pair.peer.socket });
      await pair.recorder.receivedAtLeast(24);
      const duplex = pair.connection.toDuplex(pair.recorder.received);
      const session = http2.performServerHandshake(duplex);
      session.on("stream", echo);
      expect(await exchange(client, "ping")).toBe("ping");
      expect(session.socket.remotePort).toBe(pair.peer.socket.localPort);
      await closeBoth(client, session);
      expect(duplex.destroyed).toBe(true);
    });

    it("speaks HTTP/2 as the client", async () => {
      const pair = await rig.outgoing();
      pair.peer.socket.read(0);
      const session = http2.performServerHandshake(pair.peer.socket);
      session.on("stream", echo);
      const duplex = pair.connection.toDuplex(nothing);
      const client = http2.connect("http://server.test", { createConnection: () => duplex });
      expect(await exchange(client, "pong")).toBe("pong");
      await closeBoth(client, session);
      expect(duplex.destroyed).toBe(true);
    });

    it("lets HTTP/2 have the handle itself, both ways", async () => {
      for (const pair of [await rig.accepted(), await rig.outgoing()]) expectHandle(pair);
    });
  });
}

/** Without one `node:http2` puts a slow stream of its own in between. */
function expectHandle({ connection }: Pair): void {
  const duplex = connection.toDuplex(nothing) as unknown as Record<string, { readonly isStreamBase?: boolean }>;
  expect(duplex["_handle"]?.isStreamBase).toBe(true);
  (duplex as unknown as Duplex).destroy();
}

async function bytesOf(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function textOf(stream: Duplex): Promise<string> {
  return (await bytesOf(stream)).toString();
}

function echo(stream: http2.ServerHttp2Stream): void {
  stream.respond({ ":status": 200 });
  stream.pipe(stream);
}

async function exchange(client: http2.ClientHttp2Session, body: string): Promise<string> {
  const request = client.request({ ":method": "POST", ":path": "/" });
  request.end(body);
  return textOf(request);
}

async function closeBoth(client: http2.ClientHttp2Session, server: http2.Http2Session): Promise<void> {
  const closed = [client, server].map((session) => once(session, "close"));
  client.close();
  await Promise.all(closed);
}
