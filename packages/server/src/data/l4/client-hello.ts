/**
 * The server name that a TLS client asks for, read from its first message without ending TLS here (RFC 8446 §4.1.2, RFC 6066
 * §3). Pure.
 */

/** What is known of the beginning of a connection. */
export type ClientHelloResult =
  | { readonly kind: "incomplete" }
  /** `serverName` in lower case; undefined when the client names none, or hides it (ECH shows its public name). */
  | { readonly kind: "hello"; readonly serverName: string | undefined }
  /** The first bytes are not those of TLS. */
  | { readonly kind: "not-tls" }
  /** TLS whose hello is not well-formed; `problem` says what is wrong. */
  | { readonly kind: "failed"; readonly problem: string };

/** A hello beyond that is refused; browsers send 2 KiB at most, with post-quantum key shares. */
export const MAX_CLIENT_HELLO_BYTES = 16_384;

const RECORD_HEAD_BYTES = 5;
const HANDSHAKE = 22;
const MAX_RECORD_BYTES = 16_384;
const MESSAGE_HEAD_BYTES = 4;
const CLIENT_HELLO = 1;
const RANDOM_END = 34;
const SERVER_NAME = 0;
const HOST_NAME = 0;
/** No client cuts its hello into more; each one costs time while the rest is awaited. */
const MAX_RECORDS = 128;
const INCOMPLETE: ClientHelloResult = { kind: "incomplete" };
const NOT_TLS: ClientHelloResult = { kind: "not-tls" };

const failed = (problem: string): ClientHelloResult => ({ kind: "failed", problem });

/** Reads the hello at the beginning of `bytes`, which may come in several records; call again with more while it is incomplete. */
export function parseClientHello(bytes: Uint8Array): ClientHelloResult {
  if (isOtherProtocol(bytes)) return NOT_TLS;
  const message = joinRecords(bytes);
  if (typeof message === "string") return failed(message);
  if (message.length >= 1 && message[0] !== CLIENT_HELLO) return failed("its first message is no ClientHello");
  if (message.length < MESSAGE_HEAD_BYTES) return INCOMPLETE;
  const length = (message[1]! << 16) | (message[2]! << 8) | message[3]!;
  if (length > MAX_CLIENT_HELLO_BYTES)
    return failed(`its ClientHello has ${length} bytes, more than ${MAX_CLIENT_HELLO_BYTES}`);
  if (message.length < MESSAGE_HEAD_BYTES + length) return INCOMPLETE;
  return readHello(new Cursor(message.subarray(MESSAGE_HEAD_BYTES, MESSAGE_HEAD_BYTES + length)));
}

/** A connection begins with a record of type handshake; all versions of TLS are 3 there (RFC 8446 §5.1). */
const isOtherProtocol = (bytes: Uint8Array): boolean =>
  (bytes.length > 0 && bytes[0] !== HANDSHAKE) || (bytes.length > 1 && bytes[1] !== 3);

/** The payload of the records so far, or what is wrong with them. */
function joinRecords(bytes: Uint8Array): Uint8Array | string {
  const parts: Uint8Array[] = [];
  let at = 0;
  let messageEnd = Infinity;
  let total = 0;
  while (at < bytes.length) {
    if (bytes[at] !== HANDSHAKE) return "it is no TLS handshake";
    if (at + 1 < bytes.length && bytes[at + 1] !== 3) return "its version is none of TLS";
    if (at + RECORD_HEAD_BYTES > bytes.length) break;
    const length = (bytes[at + 3]! << 8) | bytes[at + 4]!;
    // RFC 8446 §5.1: no empty record of a handshake.
    if (length === 0 || length > MAX_RECORD_BYTES) return `a record of ${length} bytes is not allowed`;
    at += RECORD_HEAD_BYTES;
    const payload = bytes.subarray(at, at + length);
    parts.push(payload);
    at += length;
    total += payload.length;
    if (messageEnd === Infinity && total >= MESSAGE_HEAD_BYTES) messageEnd = endOfMessage(parts);
    // What follows the hello is not part of it.
    if (total >= messageEnd) break;
    if (parts.length === MAX_RECORDS) return `it comes in more than ${MAX_RECORDS} records`;
  }
  return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
}

/** How many bytes the message has, its head included; the head is there, maybe in pieces. */
function endOfMessage(parts: readonly Uint8Array[]): number {
  const [first] = parts as readonly [Uint8Array];
  const head = first.length >= MESSAGE_HEAD_BYTES ? first : Buffer.concat(parts.slice(0, MESSAGE_HEAD_BYTES));
  return MESSAGE_HEAD_BYTES + ((head[1]! << 16) | (head[2]! << 8) | head[3]!);
}

/** Reads one length-prefixed thing after the other; undefined once something does not fit. */
class Cursor {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  take(count: number): Uint8Array | undefined {
    if (this.#at + count > this.#bytes.length) return undefined;
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  number(width: 1 | 2): number | undefined {
    const bytes = this.take(width);
    if (bytes === undefined) return undefined;
    return width === 1 ? bytes[0] : (bytes[0]! << 8) | bytes[1]!;
  }

  /** What a length of that width announces. */
  vector(width: 1 | 2): Uint8Array | undefined {
    const length = this.number(width);
    return length === undefined ? undefined : this.take(length);
  }
}

function readHello(hello: Cursor): ClientHelloResult {
  const cut = failed("its ClientHello is cut off");
  if (hello.take(RANDOM_END) === undefined) return cut;
  const [session, ciphers, compressions] = [hello.vector(1), hello.vector(2), hello.vector(1)];
  if (session === undefined || ciphers === undefined || compressions === undefined) return cut;
  // TLS 1.2 and older may have no extensions at all.
  if (hello.isAtEnd) return { kind: "hello", serverName: undefined };
  const extensions = hello.vector(2);
  if (extensions === undefined || !hello.isAtEnd) return cut;
  return readExtensions(new Cursor(extensions));
}

function readExtensions(extensions: Cursor): ClientHelloResult {
  let serverName: string | undefined;
  let hasName = false;
  while (!extensions.isAtEnd) {
    const type = extensions.number(2);
    const body = extensions.vector(2);
    if (type === undefined || body === undefined) return failed("an extension of its ClientHello is cut off");
    if (type !== SERVER_NAME) continue;
    if (hasName) return failed("its ClientHello names the server twice");
    hasName = true;
    serverName = readServerName(body);
    if (serverName === undefined) return failed("the server name of its ClientHello is not one");
  }
  return { kind: "hello", serverName };
}

/** Letters, digits, hyphens and underscores between dots. */
const NAME = /^[\w-]{1,63}(\.[\w-]{1,63})*\.?$/;
const MAX_NAME_BYTES = 255;

/** One name of type host_name; a list with anything else in it is refused, as OpenSSL does. */
function readServerName(body: Uint8Array): string | undefined {
  const outer = new Cursor(body);
  const list = outer.vector(2);
  if (list === undefined || !outer.isAtEnd) return undefined;
  const inner = new Cursor(list);
  const type = inner.number(1);
  const name = inner.vector(2);
  if (type !== HOST_NAME || name === undefined || !inner.isAtEnd || name.length > MAX_NAME_BYTES) return undefined;
  const text = Buffer.from(name).toString("latin1").toLowerCase();
  if (!NAME.test(text)) return undefined;
  return text.endsWith(".") ? text.slice(0, -1) : text;
}
