import { constants } from "node:os";

import { CliExit, refusal } from "../exit.ts";
import type { CliIo, ProgramEnd, RunningProgram } from "../io.ts";
import type { Registration } from "./registration.ts";

/** What runs while the backend is registered. */
export interface RegisteredRun {
  readonly registration: Registration;
  /** Absent: registers until it is told to stop. */
  readonly command: readonly string[];
  /** Longest wait for the backend's connections to end. */
  readonly drainTimeoutMs: number;
}

type RunIo = Pick<CliIo, "spawn" | "onStopSignal">;

/**
 * Starts the program and keeps it registered while it lives. A first stop signal drains: out of service, wait, then the
 * signal goes on to the program; a second one does not wait any longer.
 * @throws CliExit with the program's code, 128 + n when signal n ended it, when that is not 0
 */
export async function runRegistered(
  io: RunIo,
  { registration, command, drainTimeoutMs }: RegisteredRun,
): Promise<void> {
  const [stopping, impatient] = [new AbortController(), new AbortController()];
  const stop = Promise.withResolvers<NodeJS.Signals>();
  const forget = io.onStopSignal((signal) => {
    if (stopping.signal.aborted) impatient.abort();
    stopping.abort();
    stop.resolve(signal);
  });
  const program = start(io, command);
  const keeping = registration.keep(stopping.signal);
  try {
    const first = await firstOf({ program, keeping, stop: stop.promise });
    stopping.abort();
    await keeping;
    await registration.deregister();
    if (first.type === "ended") return exitLike(first.end);
    if (first.type === "failed") throw refusal(`cannot start the program: ${first.why}`);
    await registration.drained(drainTimeoutMs, impatient.signal);
    program?.kill(first.signal);
    if (program !== undefined) exitLike(await program.ended);
  } catch (error) {
    if (!(error instanceof CliExit)) program?.kill("SIGTERM");
    throw error;
  } finally {
    stopping.abort();
    forget();
  }
}

function start(io: RunIo, [command, ...args]: readonly string[]): RunningProgram | undefined {
  return command === undefined ? undefined : io.spawn(command, args);
}

type First =
  | { readonly type: "ended"; readonly end: ProgramEnd }
  | { readonly type: "failed"; readonly why: string }
  | { readonly type: "stopped"; readonly signal: NodeJS.Signals };

interface Events {
  readonly program: RunningProgram | undefined;
  readonly keeping: Promise<void>;
  readonly stop: Promise<NodeJS.Signals>;
}

/** @throws when the backend cannot be registered */
async function firstOf({ program, keeping, stop }: Events): Promise<First> {
  const stopped = stop.then((signal): First => ({ type: "stopped", signal }));
  const ended = program?.ended.then(
    (end): First => ({ type: "ended", end }),
    (error: unknown): First => ({ type: "failed", why: error instanceof Error ? error.message : String(error) }),
  );
  // Keeping ends by itself only with an error, or because of the stop.
  return Promise.race([stopped, ...(ended === undefined ? [] : [ended]), keeping.then(() => stopped)]);
}

/** Shells say 128 + n of a program that signal n ended. */
function exitLike({ code, signal }: ProgramEnd): void {
  const exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
  if (exitCode !== 0) throw new CliExit(exitCode);
}
