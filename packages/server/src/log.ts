import { Logger } from "tslog";

/** Flat fields of a log line: names of resources, figures, reasons. Never secrets. */
export type LogFields = Readonly<Record<string, unknown>>;

/** One line an event: what happened, and to which load balancer, listener, backend. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

/** How much is written: a level and everything above it. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** How a log is written. */
export interface LogOptions {
  readonly level: LogLevel;
  /** json: one object a line; pretty: for a terminal. */
  readonly format: "json" | "pretty";
  /** Takes one finished line, without its line break. */
  readonly write: (line: string) => void;
  /** Colours the level; only with `pretty`. Default false. */
  readonly colour?: boolean;
}

/** A {@link Log} whose level can be changed while it runs. */
export interface AdjustableLog extends Log {
  setLevel(level: LogLevel): void;
}

/** Fields whose value is never written, whatever the place they turn up in. */
const SECRET_KEYS = [
  "password",
  "token",
  "authorization",
  "privateKeyPem",
  "private_key_pem",
  "secret",
  "key",
  "cookie",
];

/** A log over tslog: levels and the masking of secrets are tslog's, the two shapes of a line are ours. */
export function createLog({ level, format, write, colour = false }: LogOptions): AdjustableLog {
  const logger = new Logger<Record<string, unknown>>({
    type: "hidden",
    minLevel: level.toUpperCase() as Uppercase<LogLevel>,
    mask: { keys: SECRET_KEYS, caseInsensitive: true },
    stack: { capture: "off" },
  });
  logger.attachTransport({
    format: (record) => (format === "json" ? jsonLine(record) : prettyLine(record, colour)),
    write: (_record, line) => write(line),
  });
  return {
    debug: (event, fields = {}) => void logger.debug(fields, event),
    info: (event, fields = {}) => void logger.info(fields, event),
    warn: (event, fields = {}) => void logger.warn(fields, event),
    error: (event, fields = {}) => void logger.error(fields, event),
    setLevel: (next) => void logger.setMinLevel(next.toUpperCase() as Uppercase<LogLevel>),
  };
}

/** For libraries and tests: nothing is written. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

interface Line {
  readonly time: string;
  readonly level: string;
  readonly event: string;
  readonly fields: Record<string, unknown>;
}

/** tslog hands arguments over by position: "0" holds the fields, "1" the event. */
function read(record: object): Line {
  const {
    "0": fields,
    "1": event,
    _logMeta: meta,
  } = record as {
    "0": Record<string, unknown>;
    "1": string;
    _logMeta: { date: Date | string; logLevelName: string };
  };
  return {
    time: new Date(meta.date).toISOString(),
    level: meta.logLevelName.toLowerCase(),
    event,
    fields: Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)),
  };
}

function jsonLine(record: object): string {
  const { time, level, event, fields } = read(record);
  return JSON.stringify({ time, level, event, ...fields }, (_name, value: unknown) =>
    value instanceof Error ? value.message : typeof value === "bigint" ? value.toString() : value,
  );
}

const COLOURS: Readonly<Record<string, number>> = { debug: 90, info: 36, warn: 33, error: 31 };

function prettyLine(record: object, colour: boolean): string {
  const { time, level, event, fields } = read(record);
  const name = level.toUpperCase().padEnd(5);
  const shown = colour ? `\u001B[${COLOURS[level] ?? 0}m${name}\u001B[0m` : name;
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${text(value)}`);
  return `${time.slice(11, 23)} ${shown} ${event}${rest.join("")}`;
}

function text(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(value.message);
  const plain = typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  return typeof value === "string" && /[\s"=]/.test(plain) ? JSON.stringify(plain) : plain;
}
