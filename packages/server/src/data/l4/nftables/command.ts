import { spawn } from "node:child_process";

/** How a command ended. */
export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command and what is written to its standard input. */
export interface Command {
  readonly name: "nft" | "conntrack" | "ip" | "arping";
  readonly args: readonly string[];
  readonly input?: string;
  /** Takes standard output as it comes, for what may be long; the result's `stdout` is empty then. */
  readonly onOutput?: (chunk: string) => void;
}

/** Runs a command to its end, whatever its exit code. Rejects with the system's error when it cannot be started. */
export type RunCommand = (command: Command) => Promise<CommandResult>;

/** Loading everything takes seconds; a command that takes this long will never end. */
const TIMEOUT_MS = 120_000;
/** Where Debian and others put them, which is not on everybody's PATH. */
const SBIN = "/usr/local/sbin:/usr/sbin:/sbin";

/** Runs the real command. */
export const runCommand: RunCommand = ({ name, args, input = "", onOutput }) =>
  new Promise((resolve, reject) => {
    // Messages are read by people and by explainNft(): in English, whatever the host speaks.
    const env = { ...process.env, PATH: `${process.env["PATH"] ?? ""}:${SBIN}`, LC_ALL: "C" };
    const child = spawn(name, args, { env, timeout: TIMEOUT_MS, stdio: ["pipe", "pipe", "pipe"] });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => {
      if (onOutput === undefined) stdout.push(chunk);
      else onOutput(chunk.toString("latin1"));
    });
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout: text(stdout), stderr: text(stderr) }));
    // One that ends before it has read everything says why on standard error.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
  });

const text = (chunks: readonly Buffer[]): string => Buffer.concat(chunks).toString("utf8");
