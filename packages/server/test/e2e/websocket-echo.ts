import { createHash } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";

const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
const FINAL = 0x80;
const MASKED = 0x80;
/** What every server adds to the client's key (RFC 6455 §1.3). */
const KEY_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** No status was in the close frame (RFC 6455 §7.4.1). */
const NO_STATUS = 1005;

interface Frame {
  readonly opcode: number;
  readonly isFinal: boolean;
  readonly payload: Buffer;
}

/** A WebSocket server (RFC 6455) that sends every message back; `bye CODE REASON` has it close. */
export interface WebSocketEcho {
  readonly port: number;
  /** Handshakes that came, the refused ones too. */
  readonly handshakes: readonly IncomingMessage["headers"][];
  /** Codes of the close frames that clients sent. */
  readonly closeCodes: readonly number[];
  /** Cuts every tunnel without a close frame. */
  cut(): void;
  close(): Promise<void>;
}

/** Starts one. It refuses what asks for `/private` with 403, and never answers plain requests of `/slow`. */
export async function startWebSocketEcho(): Promise<WebSocketEcho> {
  const handshakes: IncomingMessage["headers"][] = [];
  const closeCodes: number[] = [];
  const sockets = new Set<Duplex>();
  const server = createServer(({ url }, response) => {
    if (url !== "/slow") response.end("plain");
  });
  server.on("upgrade", (request, socket, head) => {
    handshakes.push(request.headers);
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
    if (request.url === "/private") refuse(socket);
    else new Echo(accept(request, socket), (code) => closeCodes.push(code)).read(head);
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    handshakes,
    closeCodes,
    cut,
    async close() {
      const closed = new Promise((resolve) => void server.close(resolve));
      cut();
      server.closeAllConnections();
      await closed;
    },
  };
}

const REFUSAL = "members only\n";

function refuse(socket: Duplex): void {
  const head = ["HTTP/1.1 403 Forbidden", "X-Why: private", `Content-Length: ${REFUSAL.length}`, "Connection: close"];
  socket.end(`${head.join("\r\n")}\r\n\r\n${REFUSAL}`);
}

function accept({ headers }: IncomingMessage, socket: Duplex): Duplex {
  const key = createHash("sha1").update(`${headers["sec-websocket-key"]}${KEY_SUFFIX}`).digest("base64");
  const [protocol] = (headers["sec-websocket-protocol"] ?? "").split(",");
  const head = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
  head.push(`Sec-WebSocket-Accept: ${key}`, ...(protocol ? [`Sec-WebSocket-Protocol: ${protocol}`] : []));
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  return socket;
}

/** One connection. */
class Echo {
  readonly #socket: Duplex;
  readonly #onClose: (code: number) => void;
  #received: Buffer = Buffer.alloc(0);
  /** Of a message in several frames. */
  #parts: Buffer[] = [];
  #opcode: number = OPCODE.text;
  #hasClosed = false;

  constructor(socket: Duplex, onClose: (code: number) => void) {
    this.#socket = socket;
    this.#onClose = onClose;
    socket.on("data", (bytes: Buffer) => this.read(bytes));
    socket.on("end", () => socket.end());
  }

  read(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    for (let frame = this.#take(); frame !== undefined; frame = this.#take()) this.#serve(frame);
  }

  /** The next frame, once it is there whole (RFC 6455 §5.2). */
  #take(): Frame | undefined {
    const bytes = this.#received;
    if (bytes.length < 2) return undefined;
    const short = bytes[1]! & 0x7f;
    const lengthBytes = short === 127 ? 8 : short === 126 ? 2 : 0;
    const maskAt = 2 + lengthBytes;
    const payloadAt = maskAt + ((bytes[1]! & MASKED) === 0 ? 0 : 4);
    if (bytes.length < payloadAt) return undefined;
    const long = lengthBytes === 8 ? Number(bytes.readBigUInt64BE(2)) : bytes.readUInt16BE(2);
    const length = lengthBytes === 0 ? short : long;
    if (bytes.length < payloadAt + length) return undefined;
    const payload = Buffer.from(bytes.subarray(payloadAt, payloadAt + length));
    const mask = bytes.subarray(maskAt, payloadAt);
    if (mask.length > 0) for (let i = 0; i < length; i++) payload[i]! ^= mask[i % 4]!;
    this.#received = bytes.subarray(payloadAt + length);
    return { opcode: bytes[0]! & 0x0f, isFinal: (bytes[0]! & FINAL) !== 0, payload };
  }

  #serve({ opcode, isFinal, payload }: Frame): void {
    if (opcode === OPCODE.close) return this.#answerClose(payload);
    if (opcode === OPCODE.ping) return this.#send(OPCODE.pong, payload);
    if (opcode === OPCODE.pong) return;
    if (opcode !== OPCODE.continuation) this.#opcode = opcode;
    this.#parts.push(payload);
    if (!isFinal) return;
    const message = Buffer.concat(this.#parts);
    this.#parts = [];
    const [, code, reason = ""] = /^bye (\d+) (.*)$/.exec(message.subarray(0, 64).toString()) ?? [];
    if (code === undefined) return this.#send(this.#opcode, message);
    this.#close(Number(code), reason);
  }

  #answerClose(payload: Buffer): void {
    const code = payload.length < 2 ? NO_STATUS : payload.readUInt16BE(0);
    this.#onClose(code);
    if (!this.#hasClosed) this.#send(OPCODE.close, payload);
    this.#socket.end();
  }

  #close(code: number, reason: string): void {
    this.#hasClosed = true;
    const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
    payload.writeUInt16BE(code);
    payload.write(reason, 2);
    this.#send(OPCODE.close, payload);
  }

  #send(opcode: number, payload: Buffer): void {
    const { length } = payload;
    const head = Buffer.alloc(length > 0xff_ff ? 10 : length > 125 ? 4 : 2);
    head[0] = FINAL | opcode;
    if (head.length === 2) head[1] = length;
    else if (head.length === 4) {
      head[1] = 126;
      head.writeUInt16BE(length, 2);
    } else {
      head[1] = 127;
      head.writeBigUInt64BE(BigInt(length), 2);
    }
    this.#socket.write(head);
    this.#socket.write(payload);
  }
}
