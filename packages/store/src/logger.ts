/** Where a store reports what no caller can be told. tslog's and console's loggers fit. */
export interface StoreLogger {
  warn(message: string): void;
}
