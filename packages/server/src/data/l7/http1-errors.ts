/** Why a message is refused. */
export interface Http1Error {
  /** For counters and logs. */
  readonly code: string;
  /** What a client is answered. A backend's broken response is a 502 whatever stands here. */
  readonly status: 400 | 413 | 414 | 431 | 501 | 505;
  /** For people: what is wrong with the message, without any of its bytes. */
  readonly reason: string;
}

const bad = (code: string, reason: string): Http1Error => ({ code, status: 400, reason });

/** Every reason to refuse a message, made once, so that refusing costs nothing. */
export const http1Errors = {
  method: bad("METHOD", "the method is not a token"),
  methodTooLong: { code: "METHOD_LENGTH", status: 501, reason: "the method is longer than any known one" },
  target: bad("TARGET", "the target holds a character that is not allowed there"),
  targetForm: bad("TARGET_FORM", "the target is neither a path, an http or https URL, nor * with OPTIONS"),
  targetTooLong: { code: "TARGET_LENGTH", status: 414, reason: "the target is longer than maxUriBytes" },
  startLine: bad("START_LINE", "the first line is not that of HTTP/1"),
  version: { code: "VERSION", status: 505, reason: "the version is neither HTTP/1.0 nor HTTP/1.1" },
  bareLf: bad("BARE_LF", "a line ends with LF and no CR"),
  bareCr: bad("BARE_CR", "a CR is not followed by LF"),
  obsFold: bad("OBS_FOLD", "a header line starts with white space"),
  name: bad("HEADER_NAME", "a header's name is not a token"),
  noColon: bad("HEADER_COLON", "a header line has no colon"),
  blankBeforeColon: bad("HEADER_BLANK", "there is white space between a header's name and the colon"),
  value: bad("HEADER_VALUE", "a header's value holds a control character"),
  headTooLarge: { code: "HEAD_LENGTH", status: 431, reason: "the head is longer than maxHeaderBytes" },
  tooManyHeaders: { code: "HEADER_COUNT", status: 431, reason: "there are more headers than maxHeaderCount" },
  noHost: bad("HOST_MISSING", "an HTTP/1.1 request has no Host"),
  hosts: bad("HOST_REPEATED", "there is more than one Host"),
  host: bad("HOST", "the host is not host[:port]"),
  contentLength: bad("CONTENT_LENGTH", "Content-Length is not a number of bytes"),
  contentLengths: bad("CONTENT_LENGTH_REPEATED", "there is more than one Content-Length"),
  lengthAndCoding: bad("LENGTH_AND_CODING", "both Content-Length and Transfer-Encoding are there"),
  codings: bad("TRANSFER_ENCODING_REPEATED", "there is more than one Transfer-Encoding, or chunked twice"),
  coding: bad("TRANSFER_ENCODING", "chunked is not the last transfer coding"),
  unknownCoding: { code: "TRANSFER_CODING", status: 501, reason: "only the transfer coding chunked is known" },
  codingIn10: bad("TRANSFER_ENCODING_1_0", "an HTTP/1.0 message has Transfer-Encoding"),
  connection: bad("CONNECTION", "Connection is not a list of tokens"),
  nominated: bad("CONNECTION_NAMES", "Connection names a header that is meant for the other end"),
  chunkSize: bad("CHUNK_SIZE", "a chunk's size is not a hexadecimal number of at most 16 digits"),
  chunkTooLarge: { code: "CHUNK_LENGTH", status: 413, reason: "a chunk is larger than 2^53-1 bytes" },
  chunkEnd: bad("CHUNK_END", "a chunk's data is not followed by CR LF"),
  chunkExtension: bad("CHUNK_EXTENSION", "a chunk's extension is malformed"),
  chunkExtensions: bad("CHUNK_EXTENSION_LENGTH", "chunk extensions are longer than maxExtensionBytes"),
  trailer: bad("TRAILER", "a trailer frames, routes or authenticates the message"),
  trailersTooLarge: { code: "TRAILER_LENGTH", status: 431, reason: "trailers are longer than maxTrailerBytes" },
} as const satisfies Record<string, Http1Error>;
