import { Command } from "commander";

import type { CliIo, ProgramEnd, RunningProgram } from "../src/io.ts";
import { registerClientCommands, runProgram } from "../src/program.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeServer } from "./fake-server.ts";

/** What a command line came to. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A terminal, files, time and a server of a test's own. */
export class FakeWorld {
  readonly server = new FakeServer();
  readonly clock = new FakeClock();
  readonly files = new Map<string, string>();
  readonly programs: FakeProgram[] = [];
  /** Replaces parts of the io. */
  readonly overrides: Partial<CliIo>;
  stdin = "";
  readonly #stopListeners = new Set<(signal: NodeJS.Signals) => void>();

  constructor(overrides: Partial<CliIo> = {}) {
    this.overrides = overrides;
  }

  /** Runs one command line to its end. */
  async run(...argv: readonly string[]): Promise<Outcome> {
    let [stdout, stderr] = ["", ""];
    const sinks = {
      stdout: { write: (text: string) => void (stdout += text) },
      stderr: { write: (text: string) => void (stderr += text) },
    };
    const io = { ...this.io(), ...sinks, ...this.overrides };
    const program = new Command("fiberlb");
    registerClientCommands(program, io);
    const code = await runProgram(program, argv, io);
    return { code, stdout, stderr };
  }

  io(): CliIo {
    return {
      stdout: { write: () => undefined },
      stderr: { write: () => undefined },
      readStdin: async () => this.stdin,
      readFile: async (path) => this.#read(path),
      env: {},
      isTty: false,
      colour: false,
      columns: undefined,
      clock: this.clock,
      random: () => 0.5,
      createClient: () => this.server.client(),
      spawn: (command, args) => this.#spawn(command, args),
      addressTowards: async () => "127.0.0.1",
      onStopSignal: (fn) => {
        this.#stopListeners.add(fn);
        return () => this.#stopListeners.delete(fn);
      },
    };
  }

  /** As if the person had pressed Ctrl-C, or systemd had stopped the service. */
  stop(signal: NodeJS.Signals = "SIGTERM"): void {
    for (const listener of this.#stopListeners) listener(signal);
  }

  #read(path: string): string {
    const content = this.files.get(path);
    if (content !== undefined) return content;
    throw Object.assign(new Error(`ENOENT: ${path}`), { code: "ENOENT" });
  }

  #spawn(command: string, args: readonly string[]): RunningProgram {
    const program = new FakeProgram(command, args);
    this.programs.push(program);
    return program;
  }
}

/** A program that ends when the test says so. */
export class FakeProgram implements RunningProgram {
  readonly commandLine: readonly string[];
  readonly signals: NodeJS.Signals[] = [];
  readonly ended: Promise<ProgramEnd>;
  readonly end: (end: Partial<ProgramEnd>) => void;
  readonly fail: (error: Error) => void;

  constructor(command: string, args: readonly string[]) {
    this.commandLine = [command, ...args];
    const { promise, resolve, reject } = Promise.withResolvers<ProgramEnd>();
    this.ended = promise;
    this.end = ({ code = null, signal = null }) => resolve({ code, signal });
    this.fail = reject;
  }

  kill(signal: NodeJS.Signals): void {
    this.signals.push(signal);
    this.end({ signal });
  }
}
