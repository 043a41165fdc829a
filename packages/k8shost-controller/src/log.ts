/** Fields of a log line: names of things, figures, reasons. Never secrets. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where the controller says what it does; one event a line. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}
