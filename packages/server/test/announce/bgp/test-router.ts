import { EventEmitter, once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

/** What a router was told of a prefix, and when. */
export interface RouteEvent {
  readonly kind: "announce" | "withdraw";
  readonly prefix: string;
  readonly nextHop?: string;
  /** As `asn:value`. */
  readonly communities: readonly string[];
  /** By `performance.now()`. */
  readonly atMs: number;
}

const [OPEN, UPDATE, KEEPALIVE] = [1, 2, 4];

/**
 * A router of one session at a time, as much of BGP-4 (RFC 4271, RFC 4760) as it takes to be told routes. It waits to be
 * connected to, and keeps what it was told in the order in which it came.
 */
export class TestRouter {
  readonly events: RouteEvent[] = [];
  readonly #asn: number;
  readonly #server: Server;
  readonly #told = new EventEmitter();
  readonly #routes = new Map<string, RouteEvent>();
  #socket: Socket | undefined;

  private constructor(asn: number) {
    this.#asn = asn;
    this.#told.setMaxListeners(0);
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async start(asn: number, host = "127.0.0.1"): Promise<TestRouter> {
    const router = new TestRouter(asn);
    router.#server.listen(0, host);
    await once(router.#server, "listening");
    return router;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Prefixes that it has a route to. */
  get prefixes(): readonly string[] {
    return [...this.#routes.keys()].toSorted();
  }

  route(prefix: string): RouteEvent | undefined {
    return this.#routes.get(prefix);
  }

  /** Resolves when it is as told, at once if it is already. The test's deadline ends it. */
  async until(isSo: (router: TestRouter) => boolean): Promise<void> {
    while (!isSo(this)) await once(this.#told, "told");
  }

  async close(): Promise<void> {
    this.#socket?.destroy();
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }

  #serve(socket: Socket): void {
    this.#socket = socket;
    let received = Buffer.alloc(0);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      if (this.#socket !== socket) return;
      for (const prefix of this.#routes.keys()) this.#note({ kind: "withdraw", prefix, communities: [] });
      this.#told.emit("told");
    });
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 19 && received.length >= received.readUInt16BE(16)) {
        const length = received.readUInt16BE(16);
        this.#hear(socket, received[18] ?? 0, received.subarray(19, length));
        received = received.subarray(length);
      }
    });
  }

  #hear(socket: Socket, type: number, body: Buffer): void {
    if (type === OPEN) socket.write(Buffer.concat([message(OPEN, openBody(this.#asn)), message(KEEPALIVE)]));
    // It is asked for as often as it is needed.
    if (type === KEEPALIVE) socket.write(message(KEEPALIVE));
    if (type !== UPDATE) return;
    for (const event of readUpdate(body)) this.#note(event);
    this.#told.emit("told");
  }

  #note(event: Omit<RouteEvent, "atMs">): void {
    const timed = { ...event, atMs: performance.now() };
    this.events.push(timed);
    if (event.kind === "announce") this.#routes.set(event.prefix, timed);
    else this.#routes.delete(event.prefix);
  }
}

function message(type: number, body: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(19, 0xff);
  header.writeUInt16BE(19 + body.length, 16);
  header[18] = type;
  return Buffer.concat([header, body]);
}

/** Both families and numbers of four octets (RFC 6793); hold time 90 s, of which the other side makes less. */
function openBody(asn: number): Buffer {
  const capabilities = Buffer.from([1, 4, 0, 1, 0, 1, 1, 4, 0, 2, 0, 1, 65, 4, 0, 0, asn >> 8, asn & 0xff]);
  const parameter = Buffer.concat([Buffer.from([2, capabilities.length]), capabilities]);
  const fixed = Buffer.from([4, asn >> 8, asn & 0xff, 0, 90, 192, 0, 2, 254, parameter.length]);
  return Buffer.concat([fixed, parameter]);
}

type Told = Omit<RouteEvent, "atMs">;

function readUpdate(body: Buffer): Told[] {
  const withdrawnLength = body.readUInt16BE(0);
  const attributesLength = body.readUInt16BE(2 + withdrawnLength);
  const attributesAt = 4 + withdrawnLength;
  const attributes = readAttributes(body.subarray(attributesAt, attributesAt + attributesLength));
  const [nextHop, communities] = [attributes.get(3), readCommunities(attributes.get(8))];
  const told: Told[] = withdrawals(readPrefixes(body.subarray(2, 2 + withdrawnLength), 4));
  for (const prefix of readPrefixes(body.subarray(attributesAt + attributesLength), 4))
    told.push({ kind: "announce", prefix, communities, ...(nextHop !== undefined && { nextHop: addressOf(nextHop) }) });
  const unreachable = attributes.get(15);
  if (unreachable !== undefined)
    told.push(...withdrawals(readPrefixes(unreachable.subarray(3), unreachable.readUInt16BE(0) === 1 ? 4 : 16)));
  const reachable = attributes.get(14);
  if (reachable !== undefined) told.push(...readReachable(reachable, communities));
  return told;
}

/** MP_REACH_NLRI (RFC 4760 §3). */
function readReachable(value: Buffer, communities: readonly string[]): Told[] {
  const length = value[3] ?? 0;
  const nextHop = addressOf(value.subarray(4, 4 + Math.min(length, 16)));
  const prefixes = readPrefixes(value.subarray(5 + length), value.readUInt16BE(0) === 1 ? 4 : 16);
  return prefixes.map((prefix) => ({ kind: "announce", prefix, communities, nextHop }));
}

const withdrawals = (prefixes: readonly string[]): Told[] =>
  prefixes.map((prefix) => ({ kind: "withdraw", prefix, communities: [] }));

function readAttributes(bytes: Buffer): Map<number, Buffer> {
  const attributes = new Map<number, Buffer>();
  for (let at = 0; at < bytes.length;) {
    const isLong = ((bytes[at] ?? 0) & 0x10) !== 0;
    const length = isLong ? bytes.readUInt16BE(at + 2) : (bytes[at + 2] ?? 0);
    const start = at + (isLong ? 4 : 3);
    attributes.set(bytes[at + 1] ?? 0, bytes.subarray(start, start + length));
    at = start + length;
  }
  return attributes;
}

function readPrefixes(bytes: Buffer, size: 4 | 16): string[] {
  const prefixes: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const bits = bytes[at] ?? 0;
    const octets = Math.ceil(bits / 8);
    const address = Buffer.alloc(size);
    bytes.copy(address, 0, at + 1, at + 1 + octets);
    prefixes.push(`${addressOf(address)}/${bits}`);
    at += 1 + octets;
  }
  return prefixes;
}

function readCommunities(bytes: Buffer = Buffer.alloc(0)): string[] {
  return Array.from(
    { length: bytes.length / 4 },
    (_, index) => `${bytes.readUInt16BE(index * 4)}:${bytes.readUInt16BE(index * 4 + 2)}`,
  );
}

/** Canonical text; the longest run of zeros is shortened (RFC 5952). */
function addressOf(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}
