import type { FiberlbClient, FiberlbClientOptions } from "@fiberlb/api";

import type { Clock } from "./clock.ts";

/** Where a command writes. */
export interface TextSink {
  write(text: string): void;
}

/** How a program ended: its exit code, or the signal that killed it. */
export interface ProgramEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A program that `fiberlb register` runs. */
export interface RunningProgram {
  /** Rejects when the program could not be started. */
  readonly ended: Promise<ProgramEnd>;
  kill(signal: NodeJS.Signals): void;
}

/**
 * Everything that a command touches outside itself. Commands get one, so that tests run them in their own process with a
 * server, a terminal and a time of their own; {@link processIo} is the real one.
 */
export interface CliIo {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  /** Standard input, whole. */
  readonly readStdin: () => Promise<string>;
  /** A UTF-8 file. */
  readonly readFile: (path: string) => Promise<string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Standard output is a terminal. */
  readonly isTty: boolean;
  /** Standard output takes ANSI colours. */
  readonly colour: boolean;
  /** Width of the terminal in characters; tables are cut to it. Absent: no limit. */
  readonly columns: number | undefined;
  readonly clock: Clock;
  /** A number from 0 up to 1. */
  readonly random: () => number;
  readonly createClient: (options: FiberlbClientOptions) => FiberlbClient;
  /** Starts a program with this process's standard streams. */
  readonly spawn: (command: string, args: readonly string[]) => RunningProgram;
  /** The address of this host that a server would see; sends nothing. */
  readonly addressTowards: (serverUrl: string) => Promise<string>;
  /** Calls `fn` on SIGTERM, SIGINT and SIGHUP, which then end the process no more; the result undoes that. */
  readonly onStopSignal: (fn: (signal: NodeJS.Signals) => void) => () => void;
}
