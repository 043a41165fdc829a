import type { ClientTls, FiberlbClient } from "@fiberlb/api";
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
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

/** Files in PEM form: of the server's authority, and of the certificate and key that the client shows. */
export interface TlsFiles {
  /** Default: the system's authorities. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** Which server a command talks to, and as whom. */
export interface Target {
  readonly server: string;
  readonly token?: string;
  readonly org?: string;
  readonly project?: string;
  /** Absent: no client certificate, and the authorities of the system. */
  readonly tls?: TlsFiles;
}

/** Flags win over the environment; an empty value is none. */
export function targetOf(flags: GlobalFlags, env: CliIo["env"]): Target {
  const pick = (flag: string | undefined, name: string): string | undefined => flag || env[name] || undefined;
  const token = pick(flags.token, "FIBERLB_TOKEN");
  const org = pick(flags.org, "FIBERLB_ORG");
  const project = pick(flags.project, "FIBERLB_PROJECT");
  const ca = pick(flags.tlsCa, "FIBERLB_TLS_CA");
  const cert = pick(flags.tlsCert, "FIBERLB_TLS_CERT");
  const key = pick(flags.tlsKey, "FIBERLB_TLS_KEY");
  const tls = {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
  return {
    server: pick(flags.server, "FIBERLB_SERVER") ?? DEFAULT_SERVER,
    ...(token !== undefined && { token }),
    ...(org !== undefined && { org }),
    ...(project !== undefined && { project }),
    ...(Object.keys(tls).length > 0 && { tls }),
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
  const client = await open(io, target);
  try {
    return await run({ io, client, target });
  } catch (error) {
    throw toCliExit(error, target.server);
  } finally {
    client.close();
  }
}

async function open(io: CliIo, { server, tls: files, ...caller }: Target): Promise<FiberlbClient> {
  const tls = files === undefined ? undefined : await readTls(io, files);
  try {
    return io.createClient({
      baseUrl: server,
      timeoutMs: CALL_TIMEOUT_MS,
      ...caller,
      ...(tls !== undefined && { tls }),
    });
  } catch (error) {
    if (error instanceof TypeError)
      throw usageError(`--server: ${error.message.replace(/^Cannot create a client: /, "")}`);
    throw error;
  }
}

/** @throws CliExit that names the flag when a file is missing or cannot be read */
async function readTls(io: CliIo, { ca, cert, key }: TlsFiles): Promise<ClientTls> {
  if ((cert === undefined) !== (key === undefined)) {
    const [given, missing] = cert === undefined ? ["--tls-key", "--tls-cert"] : ["--tls-cert", "--tls-key"];
    throw usageError(`${given} without ${missing}: a client certificate needs both`);
  }
  const read = (flag: string, file: string): Promise<string> =>
    io.readFile(file).catch((error: unknown) => {
      throw usageError(`${flag}: cannot read ${file}: ${(error as Error).message}`);
    });
  return {
    ...(ca !== undefined && { ca: await read("--tls-ca", ca) }),
    ...(cert !== undefined && { cert: await read("--tls-cert", cert) }),
    ...(key !== undefined && { key: await read("--tls-key", key) }),
  };
}
