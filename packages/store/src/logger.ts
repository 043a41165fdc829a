/** Where a store reports what no caller can be told. tslog's and console's loggers fit. */
export interface StoreLogger {
  info(message: string): void;
  warn(message: string): void;
}
