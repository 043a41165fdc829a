import { FrameFlag, FrameType, PREFACE } from "../../../../src/data/l7/http2/http2-frame.ts";
import type { ListeningSocket } from "../../../../src/data/transport/transport.ts";
import { Peer } from "../../transport/peer.ts";

/** A frame as it came or goes. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** The bytes of a frame; the length may lie. */
export function frame(type: number, options: Partial<Omit<Frame, "type">> & { length?: number } = {}): Buffer {
  const { flags = 0, stream = 0, payload = Buffer.alloc(0), length = payload.length } = options;
  const head = Buffer.alloc(9);
  head.writeUIntBE(length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A string literal of HPACK without Huffman code, shorter than 127 bytes or with a long length. */
function literal(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const length = [0x7f];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) + 128);
  return Buffer.concat([Buffer.from([...length, rest]), bytes]);
}

export type Fields = readonly (readonly [name: string, value: string])[];

/** A header block that uses no table. */
export const block = (fields: Fields): Buffer =>
  Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]));

/** The fields of a GET, and others behind them. */
export const getFields = (...others: Fields): Fields => [
  [":method", "GET"],
  [":scheme", "http"],
  [":authority", "app.example"],
  [":path", "/"],
  ...others,
];

/** HEADERS with a whole block. */
export const headers = (stream: number, fields: Fields = getFields(), flags: number = FrameFlag.END_STREAM): Buffer =>
  frame(FrameType.HEADERS, { stream, flags: flags | FrameFlag.END_HEADERS, payload: block(fields) });

export const settings = (...pairs: readonly (readonly [id: number, value: number])[]): Buffer => {
  const payload = Buffer.alloc(pairs.length * 6);
  for (const [i, [id, value]] of pairs.entries()) {
    payload.writeUInt16BE(id, i * 6);
    payload.writeUInt32BE(value, i * 6 + 2);
  }
  return frame(FrameType.SETTINGS, { payload });
};

export const number32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** All whole frames in the bytes. */
export function framesOf(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at + 9 <= bytes.length;) {
    const end = at + 9 + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    const payload = bytes.subarray(at + 9, end);
    const stream = bytes.readUInt32BE(at + 5);
    frames.push({ type: bytes[at + 3] as number, flags: bytes[at + 4] as number, stream, payload });
    at = end;
  }
  return frames;
}

const EVENTS = ["data", "end", "close"] as const;

/** A client that sends frames as a test wants them, right or wrong. */
export class RawHttp2 {
  readonly peer: Peer;

  private constructor(peer: Peer) {
    this.peer = peer.read();
  }

  /** @param start what comes first; by default the preface and empty SETTINGS. */
  static async connect(
    target: ListeningSocket,
    start: Uint8Array = Buffer.concat([PREFACE, settings()]),
  ): Promise<RawHttp2> {
    const raw = new RawHttp2(await Peer.connect(target));
    await raw.send(start);
    return raw;
  }

  /** Resolves when the kernel has taken it; a connection that is closed meanwhile is no failure. */
  async send(...frames: readonly Uint8Array[]): Promise<void> {
    await this.peer.send(Buffer.concat(frames)).catch(() => undefined);
  }

  /** All whole frames so far. */
  get frames(): Frame[] {
    return framesOf(this.peer.received);
  }

  of(type: number): Frame[] {
    return this.frames.filter((each) => each.type === type);
  }

  /** Waits for a frame. */
  async receive(match: (frame: Frame) => boolean): Promise<Frame> {
    for (;;) {
      const found = this.frames.find(match);
      if (found !== undefined) return found;
      if (this.peer.ended || this.peer.socket.destroyed) {
        throw new Error(`ended (${this.peer.errorCode}) with ${JSON.stringify(this.frames)}`);
      }
      await new Promise<void>((resolve) => {
        const done = (): void => {
          for (const event of EVENTS) this.peer.socket.off(event, done);
          resolve();
        };
        for (const event of EVENTS) this.peer.socket.on(event, done);
      });
    }
  }

  receiveType(type: number, stream = 0): Promise<Frame> {
    return this.receive((each) => each.type === type && each.stream === stream);
  }

  /** Waits for GOAWAY and the end of the connection; answers the code. */
  async goaway(): Promise<number> {
    const { payload } = await this.receiveType(FrameType.GOAWAY);
    await this.peer.end();
    return payload.readUInt32BE(4);
  }

  /** Waits for RST_STREAM; answers the code. */
  async reset(stream: number): Promise<number> {
    const { payload } = await this.receiveType(FrameType.RST_STREAM, stream);
    return payload.readUInt32BE(0);
  }

  /** Resolves when everything sent so far has been dealt with. */
  async settled(): Promise<void> {
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(this.#pings++);
    await this.send(frame(FrameType.PING, { payload }));
    await this.receive((each) => each.type === FrameType.PING && each.payload.equals(payload));
  }

  #pings = 1;
}
