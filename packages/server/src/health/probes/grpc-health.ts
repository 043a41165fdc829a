/** The two messages of `grpc.health.v1.Health/Check` and gRPC's framing of them; pure. */
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** More than any HealthCheckResponse needs. */
export const MAX_ANSWER_BYTES = 4096;

const FRAME_HEAD_BYTES = 5;

/** What came back for one call. */
export interface GrpcAnswer {
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>;
  readonly trailers: Readonly<Record<string, string | string[] | number | undefined>>;
  readonly body: Uint8Array;
}

/** HealthCheckRequest { string service = 1 } as one uncompressed gRPC message. */
export function encodeCheckRequest(service: string): Uint8Array {
  const writer = new BinaryWriter();
  if (service !== "") writer.tag(1, WireType.LengthDelimited).string(service);
  const message = writer.finish();
  const frame = new Uint8Array(FRAME_HEAD_BYTES + message.length);
  new DataView(frame.buffer).setUint32(1, message.length);
  frame.set(message, FRAME_HEAD_BYTES);
  return frame;
}

/** Undefined when the backend says SERVING, else why the check failed. */
export function judgeCheckAnswer({ headers, trailers, body }: GrpcAnswer, service: string): string | undefined {
  const httpStatus = Number(headers[":status"]);
  if (httpStatus !== 200) return `HTTP ${httpStatus} instead of a gRPC answer`;
  const contentType = String(headers["content-type"] ?? "");
  if (!contentType.startsWith("application/grpc")) return `content type "${contentType}" instead of application/grpc`;
  // A call without a message answers all in one head (gRPC over HTTP/2, "Trailers-Only").
  const code = trailers["grpc-status"] ?? headers["grpc-status"];
  if (code === undefined) return "answer broke off before its grpc-status";
  if (Number(code) !== 0) return refusal(Number(code), service, trailers["grpc-message"] ?? headers["grpc-message"]);
  const status = decodeStatus(body);
  if (status === undefined) return "answer is not a grpc.health.v1.HealthCheckResponse";
  return status === SERVING ? undefined : `gRPC health is ${servingStatuses[status] ?? status}, expected SERVING`;
}

const SERVING = 1;
const servingStatuses = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

const codes = [
  ..."OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED".split(" "),
  ..."RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE".split(" "),
  ..."DATA_LOSS UNAUTHENTICATED".split(" "),
];

function refusal(code: number, service: string, detail: unknown): string {
  const name = codes[code] ?? String(code);
  if (name === "UNIMPLEMENTED") return "gRPC UNIMPLEMENTED: backend has no grpc.health.v1.Health service";
  if (name === "NOT_FOUND") return `gRPC NOT_FOUND: backend's health service does not know "${service}"`;
  const text = typeof detail === "string" ? decodeMessage(detail).slice(0, 200) : "";
  return text === "" ? `gRPC ${name}` : `gRPC ${name}: ${text}`;
}

/** grpc-message is percent-encoded; a bad one is shown as it came. */
function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** HealthCheckResponse { ServingStatus status = 1 } out of one uncompressed gRPC message. */
function decodeStatus(body: Uint8Array): number | undefined {
  if (body.length < FRAME_HEAD_BYTES || body[0] !== 0) return undefined;
  const length = new DataView(body.buffer, body.byteOffset).getUint32(1);
  if (body.length !== FRAME_HEAD_BYTES + length) return undefined;
  try {
    return readStatus(new BinaryReader(body.subarray(FRAME_HEAD_BYTES)));
  } catch {
    return undefined;
  }
}

function readStatus(reader: BinaryReader): number {
  let status = 0;
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1 && wireType === WireType.Varint) status = reader.int32();
    else reader.skip(wireType);
  }
  return status;
}
