import type { ForwardedHeaders } from "@fiberlb/types";

import type { ByteSink } from "./byte-sink.ts";
import type { HeaderEdits } from "./header-edits.ts";
import { COMMA, encodeText, equalsLower, SP } from "./http1-bytes.ts";
import type { HeaderFields } from "./http1-fields.ts";
import type { RequestHead } from "./http1-head.ts";
import { HEADER_NAME_COUNT, HeaderName, type HeaderNameId, HOP_BY_HOP } from "./http1-names.ts";

const CRLF = encodeText("\r\n");
const FOR_NAME = encodeText("X-Forwarded-For: ");
const FORWARDED_NAME = encodeText("Forwarded: ");
const FORWARDED_HOST = encodeText(';host="');
const QUOTE = encodeText('"');
const PREFIX = encodeText("x-forwarded-");

/** What {@link ForwardedClient} is made from. */
export interface ForwardedClientOptions {
  /** Canonical IP text of the client. */
  readonly address: string;
  /** What the client speaks with the listener. */
  readonly protocol: "http" | "https";
  /** Port that the client has connected to. */
  readonly port: number;
  /** Whole lines about the client's certificate; absent when it showed none, or was not asked. */
  readonly certificateLines?: readonly Uint8Array[];
}

/** What backends are told of one client, as bytes made once a connection, and only those that are asked for. */
export class ForwardedClient {
  /** The three X-Forwarded lines of a client that sent none. */
  readonly lines: Uint8Array;
  readonly isSecure: boolean;
  readonly certificateLines: readonly Uint8Array[];
  /** Of all {@link certificateLines}. */
  readonly certificateBytes: number;
  readonly #options: ForwardedClientOptions;
  #address: Uint8Array | undefined;
  #element: Uint8Array | undefined;
  #protocolLine: Uint8Array | undefined;
  #portLine: Uint8Array | undefined;

  constructor(options: ForwardedClientOptions) {
    const { address, protocol, certificateLines = [] } = options;
    this.#options = options;
    this.isSecure = protocol === "https";
    this.certificateLines = certificateLines;
    this.certificateBytes = certificateLines.reduce((sum, line) => sum + line.length, 0);
    this.lines = encodeText(`X-Forwarded-For: ${address}\r\n${protocolText(options)}${portText(options)}`);
  }

  get address(): Uint8Array {
    return (this.#address ??= encodeText(this.#options.address));
  }

  /** One element of `Forwarded`, up to the host (RFC 7239 §4); IPv6 is in brackets and quotes (§6). */
  get element(): Uint8Array {
    const { address, protocol } = this.#options;
    return (this.#element ??= encodeText(
      `for=${address.includes(":") ? `"[${address}]"` : address};proto=${protocol}`,
    ));
  }

  get protocolLine(): Uint8Array {
    return (this.#protocolLine ??= encodeText(protocolText(this.#options)));
  }

  get portLine(): Uint8Array {
    return (this.#portLine ??= encodeText(portText(this.#options)));
  }
}

const protocolText = ({ protocol }: ForwardedClientOptions): string => `X-Forwarded-Proto: ${protocol}\r\n`;
const portText = ({ port }: ForwardedClientOptions): string => `X-Forwarded-Port: ${port}\r\n`;

const dropping = (...names: readonly HeaderNameId[]): Uint8Array => {
  const drops = new Uint8Array(HEADER_NAME_COUNT);
  for (const [id, flag] of HOP_BY_HOP.entries()) drops[id] = flag;
  for (const id of names) drops[id] = 1;
  return drops;
};

const OWN = [
  HeaderName.X_FORWARDED_FOR,
  HeaderName.X_FORWARDED_PROTO,
  HeaderName.X_FORWARDED_PORT,
  HeaderName.FORWARDED,
] as const;

/** 1 for the known headers of a request that are not copied, by mode: the hop-by-hop ones and what we write or refuse. */
export const requestDrops: Readonly<Record<ForwardedHeaders, Uint8Array>> = {
  APPEND: dropping(...OWN),
  PRESERVE: dropping(),
  REMOVE: dropping(...OWN, HeaderName.X_FORWARDED_HOST),
};

/** Whether the name starts with `X-Forwarded-`. */
export const isForwardedName = (bytes: Uint8Array, nameStart: number, nameEnd: number): boolean =>
  nameEnd - nameStart > PREFIX.length && equalsLower(bytes, nameStart, nameStart + PREFIX.length, PREFIX);

/**
 * Adds the client to X-Forwarded-For, says its protocol and port, and adds an element to Forwarded when the client sent
 * one (else a backend that reads it would believe the client). Each becomes one line, because many programs read only
 * the first of several. Headers that `edits` touches are left to them.
 */
export function writeForwarded(sink: ByteSink, head: RequestHead, client: ForwardedClient, edits: HeaderEdits): void {
  const { bytes, fields } = head;
  if (edits.isEmpty && !fields.has(HeaderName.X_FORWARDED_FOR)) {
    sink.put(client.lines);
  } else {
    if (!edits.touches(HeaderName.X_FORWARDED_FOR)) {
      sink.put(FOR_NAME);
      writeValues(sink, bytes, fields, HeaderName.X_FORWARDED_FOR);
      sink.put(client.address);
      sink.put(CRLF);
    }
    if (!edits.touches(HeaderName.X_FORWARDED_PROTO)) sink.put(client.protocolLine);
    if (!edits.touches(HeaderName.X_FORWARDED_PORT)) sink.put(client.portLine);
  }
  if (fields.has(HeaderName.FORWARDED) && !edits.touches(HeaderName.FORWARDED)) writeElement(sink, head, client);
}

function writeElement(sink: ByteSink, head: RequestHead, client: ForwardedClient): void {
  sink.put(FORWARDED_NAME);
  writeValues(sink, head.bytes, head.fields, HeaderName.FORWARDED);
  sink.put(client.element);
  if (head.authorityEnd > head.hostStart) {
    sink.put(FORWARDED_HOST);
    sink.copy(head.bytes, head.hostStart, head.authorityEnd);
    sink.put(QUOTE);
  }
  sink.put(CRLF);
}

/** All values of a header, each with a comma behind it (RFC 9110 §5.3). */
function writeValues(sink: ByteSink, bytes: Uint8Array, fields: HeaderFields, id: HeaderNameId): void {
  for (let index = fields.first(id); index >= 0; index = fields.next(id, index)) {
    const start = fields.valueStart(index);
    const end = fields.valueEnd(index);
    if (start === end) continue;
    sink.copy(bytes, start, end);
    sink.putByte(COMMA);
    sink.putByte(SP);
  }
}
