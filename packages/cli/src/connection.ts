import type { FiberlbClient } from "@fiberlb/api";
import type { Command } from "commander";

import { toCliExit, usageError } from "./exit.ts";
import type { CliIo } from "./io.ts";

/** Where the server is when neither flag nor environment says. */
export const DEFAULT_SERVER = "http://127.0.0.1:9080";

/** A server that does not answer for so long counts as away. */
const CALL_TIMEOUT_MS = 30_000;

/** Flags that every command takes. */
export interface GlobalFlags {
  readonly server?: string;
  readonly token?: string;
  readonly org?: string;
  readonly project?: string;
}

/** Which server a command talks to, and as whom. */
export interface Target {
  readonly server: string;
  readonly token?: string;
  readonly org?: string;
  readonly project?: string;
}

/** Flags win over the environment; an empty value is none. */
export function targetOf(flags: GlobalFlags, env: CliIo["env"]): Target {
  const pick = (flag: string | undefined, name: string): string | undefined => flag || env[name] || undefined;
  const token = pick(flags.token, "FIBERLB_TOKEN");
  const org = pick(flags.org, "FIBERLB_ORG");
  const project = pick(flags.project, "FIBERLB_PROJECT");
  return {
    server: pick(flags.server, "FIBERLB_SERVER") ?? DEFAULT_SERVER,
    ...(token !== undefined && { token }),
    ...(org !== undefined && { org }),
    ...(project !== undefined && { project }),
  };
}

/** What a command that talks to the server works with. */
export interface Session {
  readonly io: CliIo;
  readonly client: FiberlbClient;
  readonly target: Target;
}

/** Runs a command with a connection and closes it; every error comes out as a `CliExit`. */
export async function withSession<T>(command: Command, io: CliIo, run: (session: Session) => Promise<T>): Promise<T> {
  const target = targetOf(command.optsWithGlobals<GlobalFlags>(), io.env);
  const client = open(io, target);
  try {
    return await run({ io, client, target });
  } catch (error) {
    throw toCliExit(error, target.server);
  } finally {
    client.close();
  }
}

function open(io: CliIo, { server, ...caller }: Target): FiberlbClient {
  try {
    return io.createClient({ baseUrl: server, timeoutMs: CALL_TIMEOUT_MS, ...caller });
  } catch (error) {
    if (error instanceof TypeError)
      throw usageError(`--server: ${error.message.replace(/^Cannot create a client: /, "")}`);
    throw error;
  }
}
