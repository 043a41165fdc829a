/** Types of frames (RFC 9113 §6). */
export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

/** Flags of frames; ACK is of SETTINGS and PING. */
export const FrameFlag = { ACK: 1, END_STREAM: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 0x20 } as const;

/** Why a stream or a connection ends (RFC 9113 §7). */
export const Http2ErrorCode = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  ENHANCE_YOUR_CALM: 11,
} as const;
/** One of {@link Http2ErrorCode}. */
export type Http2ErrorCodeId = (typeof Http2ErrorCode)[keyof typeof Http2ErrorCode];

/** Parameters of SETTINGS (RFC 9113 §6.5.2). */
export const Setting = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
} as const;

export const FRAME_HEAD_BYTES = 9;
/** The protocol's default, which every peer takes and we never raise. */
export const MAX_FRAME_BYTES = 16_384;
/** Windows before anybody says otherwise. */
export const DEFAULT_WINDOW_BYTES = 65_535;
/** No window may be larger. */
export const MAX_WINDOW_BYTES = 0x7fff_ffff;

/** What a client sends first (RFC 9113 §3.4). */
export const PREFACE: Uint8Array = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** Whether `bytes[start, end)` is the preface, its beginning, or more than it. */
export function isPreface(bytes: Uint8Array, start: number, end: number): boolean {
  const length = Math.min(end - start, PREFACE.length);
  for (let i = 0; i < length; i++) if (bytes[start + i] !== PREFACE[i]) return false;
  return length > 0;
}

/** An unsigned number of 32 bits, the most significant byte first. */
export const readUint32 = (bytes: Uint8Array, at: number): number =>
  (bytes[at] as number) * 0x100_0000 +
  (((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number));

/** A number of 31 bits: the reserved bit before it means nothing. */
export const readUint31 = (bytes: Uint8Array, at: number): number => readUint32(bytes, at) & MAX_WINDOW_BYTES;

/** Writes 32 bits, the most significant byte first. */
export function writeUint32(out: Uint8Array, at: number, number: number): void {
  out[at] = number >>> 24;
  out[at + 1] = number >>> 16;
  out[at + 2] = number >>> 8;
  out[at + 3] = number;
}
