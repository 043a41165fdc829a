import { createRequire } from "node:module";

/** What of node's own parser (llhttp in strict mode) is used here; it has no types. */
interface LlhttpParser {
  initialize(kind: number, resource: object, maxHeaderBytes: number, leniency: number): void;
  execute(bytes: Uint8Array): number | Error;
  finish(): Error | undefined;
  [callback: number]: (...parts: never[]) => unknown;
}
interface LlhttpClass {
  new (): LlhttpParser;
  readonly REQUEST: number;
  readonly RESPONSE: number;
  readonly kOnMessageBegin: number;
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
}

const require = createRequire(import.meta.url);
const { HTTPParser, methods } = require("node:_http_common") as { HTTPParser: LlhttpClass; methods: readonly string[] };

/** A message as llhttp reads it. */
export interface LlhttpMessage {
  method: string;
  url: string;
  status: number;
  reason: string;
  minorVersion: number;
  headers: [name: string, value: string][];
  trailers: [name: string, value: string][];
  body: string;
  isPersistent: boolean;
  upgrade: boolean;
  isComplete: boolean;
}

/** What llhttp makes of the bytes. */
export interface LlhttpReading {
  readonly messages: readonly LlhttpMessage[];
  /** Code such as HPE_INVALID_METHOD. */
  readonly error: string | undefined;
}

const pairs = (flat: readonly string[]): [string, string][] =>
  Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] as string, flat[2 * i + 1] as string]);

const emptyMessage = (): LlhttpMessage => ({
  method: "",
  url: "",
  status: 0,
  reason: "",
  minorVersion: 0,
  headers: [],
  trailers: [],
  body: "",
  isPersistent: false,
  upgrade: false,
  isComplete: false,
});

const QUERY = 46;
/** llhttp numbers RTSP's methods before QUERY, which node's list leaves out. */
const methodName = (method: number): string => (method === QUERY ? "QUERY" : (methods[method] ?? `${method}`));

type HeadersComplete = [
  major: number,
  minor: number,
  headers: string[] | undefined,
  method: number | undefined,
  url: string | undefined,
  status: number | undefined,
  reason: string | undefined,
  upgrade: boolean,
  shouldKeepAlive: boolean,
];

/**
 * Reads bytes with node's own parser, strictly, in one piece.
 * @param skipsBody the response answers HEAD.
 * @param isEnd the connection ends behind the bytes.
 */
export function readWithLlhttp(
  kind: "request" | "response",
  bytes: Uint8Array,
  { skipsBody = false, isEnd = false }: { skipsBody?: boolean; isEnd?: boolean } = {},
): LlhttpReading {
  const messages: LlhttpMessage[] = [];
  const current = (): LlhttpMessage => messages.at(-1) as LlhttpMessage;
  let inHead = true;
  const parser = new HTTPParser();
  parser.initialize(kind === "request" ? HTTPParser.REQUEST : HTTPParser.RESPONSE, {}, 1 << 20, 0);
  parser[HTTPParser.kOnMessageBegin] = () => {
    messages.push(emptyMessage());
    inHead = true;
  };
  parser[HTTPParser.kOnHeaders] = (headers: string[], url: string) => {
    (inHead ? current().headers : current().trailers).push(...pairs(headers));
    if (inHead) current().url += url;
  };
  parser[HTTPParser.kOnHeadersComplete] = (...parts: HeadersComplete) => {
    const [, minor, headers, method, url, status, reason, upgrade, shouldKeepAlive] = parts;
    const message = current();
    message.headers.push(...pairs(headers ?? []));
    message.url += url ?? "";
    message.method = method === undefined ? "" : methodName(method);
    Object.assign(message, { minorVersion: minor, status: status ?? 0, reason: reason ?? "", upgrade });
    message.isPersistent = shouldKeepAlive;
    inHead = false;
    return skipsBody ? 1 : 0;
  };
  parser[HTTPParser.kOnBody] = (body: Buffer) => {
    current().body += body.toString("latin1");
  };
  parser[HTTPParser.kOnMessageComplete] = () => {
    current().isComplete = true;
  };
  let result: number | Error | undefined = parser.execute(Buffer.from(bytes));
  if (isEnd && !(result instanceof Error)) result = parser.finish();
  const error = result instanceof Error ? ((result as NodeJS.ErrnoException).code ?? result.message) : undefined;
  return { messages, error };
}
