import { latin1Text } from "./http1-bytes.ts";
import type { HeaderFields } from "./http1-fields.ts";
import { isNominated } from "./http1-framing.ts";
import type { RequestHead } from "./http1-head.ts";
import { HEADER_NAME_COUNT, HeaderName, HOP_BY_HOP, knownHeaderNames } from "./http1-names.ts";

/** Name and value in turn, as node:http2 takes them and gives them. */
export type RawHeaders = readonly string[];

/** 1 for what has no place in HTTP/2 (RFC 9113 §8.2.2), or another one there: Host becomes `:authority`. */
const DROPPED = Uint8Array.from({ length: HEADER_NAME_COUNT }, (_, id) =>
  Number(HOP_BY_HOP[id] === 1 || id === HeaderName.HOST || id === HeaderName.TRANSFER_ENCODING),
);

/**
 * The header section of an HTTP/2 request from the head of an HTTP/1.1 one as {@link RequestHead} has parsed it: origin
 * or asterisk form, exactly one Host.
 * @param scheme what the backend is spoken to with.
 */
export function http2RequestHeaders(head: RequestHead, scheme: "http" | "https"): RawHeaders {
  const { bytes, line } = head;
  const headers = [
    ":method",
    latin1Text(bytes, line.start, line.methodEnd),
    ":scheme",
    scheme,
    ":path",
    latin1Text(bytes, line.targetStart, line.targetEnd),
  ];
  // Without a host node:http2 names the backend's own address.
  if (head.authorityEnd > head.hostStart) {
    headers.push(":authority", latin1Text(bytes, head.hostStart, head.authorityEnd));
  }
  addFields(headers, head);
  if (head.acceptsTrailers) headers.push("te", "trailers");
  return headers;
}

function addFields(headers: string[], { bytes, fields, framing }: RequestHead): void {
  for (let i = 0; i < fields.count; i++) {
    const id = fields.nameId(i);
    if (DROPPED[id] === 1) continue;
    if (framing.nominates && isNominated(bytes, fields, fields.nameStart(i), fields.nameEnd(i))) continue;
    headers.push(fieldName(bytes, fields, i), latin1Text(bytes, fields.valueStart(i), fields.valueEnd(i)));
  }
}

/** In lower case (RFC 9113 §8.2). */
function fieldName(bytes: Uint8Array, fields: HeaderFields, index: number): string {
  const known = knownHeaderNames[fields.nameId(index)] as string;
  return known === "" ? latin1Text(bytes, fields.nameStart(index), fields.nameEnd(index)).toLowerCase() : known;
}
