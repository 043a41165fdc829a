export { type Cancel, type Clock, systemClock } from "./clock.ts";
export { targetOf, type GlobalFlags, type Session, type Target, type TlsFiles, withSession } from "./connection.ts";
export { CliExit, refusal, usageError } from "./exit.ts";
export type { CliIo, ProgramEnd, RunningProgram, TextSink } from "./io.ts";
export { processIo } from "./process-io.ts";
export { registerClientCommands, runProgram } from "./program.ts";
