/** Where the speaker reports what happens in the background. tslog's and console's loggers fit. */
export interface SpeakerLogger {
  info(message: string): void;
  warn(message: string): void;
}
