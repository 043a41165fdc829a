import { formatHostPort, parseHost, parsePort } from "@fiberlb/types";
import type { Command } from "commander";

import { usageError } from "../exit.ts";
import type { CliIo } from "../io.ts";
import { resolveId } from "../lookup.ts";
import { Registration } from "../register/registration.ts";
import { runRegistered } from "../register/run.ts";
import { collect, type Invocation, onServer, withExamples } from "./command.ts";

interface RegisterFlags {
  readonly pool: string;
  readonly port: string;
  readonly address?: string;
  readonly weight?: string;
  readonly ttl: string;
  readonly name?: string;
  readonly metadata?: readonly string[];
  readonly drainTimeout?: string;
}

/** `fiberlb register --pool P --port N -- CMD`. */
export function addRegister(program: Command, io: CliIo): void {
  const command = program
    .command("register")
    .summary("run a program as a backend of a pool")
    .description(
      "Runs a program and keeps it registered as a backend while it lives. On SIGTERM, SIGINT or SIGHUP it is taken out of " +
        "service, its connections may end, and only then the signal reaches it; a second signal does not wait. Exits with the " +
        "program's code. Without a program it registers until it is told to stop.",
    )
    .argument("[command...]", "the program and its arguments, after --")
    .requiredOption("--pool <id|name>", "id, name or path (web/app) of the pool")
    .requiredOption("--port <n>", "where the program listens")
    .option(
      "--address <address>",
      "where the load balancer reaches it; this host's address towards the server when absent",
    )
    .option("--weight <n>", "0 to 256 (default 1)")
    .option("--ttl <seconds>", "gone without a renewal for so long: the server drains it", "15")
    .option("--name <name>", "name of the backend; made up when absent")
    .option("--metadata <key=value>", "what the program says of itself; repeatable", collect)
    .option("--drain-timeout <seconds>", "longest wait for its connections to end; the pool's own when absent");
  withExamples(command, [
    ["fiberlb register --pool web/app --port 8080 -- node server.js", ""],
    ["fiberlb register --pool app --port 8080 --address 10.0.0.5 --ttl 5", "for a program that runs already"],
  ]);
  onServer<RegisterFlags>(command, io, runRegister);
}

async function runRegister({ args, flags, client, io, target }: Invocation<RegisterFlags>): Promise<void> {
  const port = parsePort(numberOf("--port", flags.port, 65_535));
  if (!port.ok) throw usageError(`--port ${port.error}`);
  const ttlS = numberOf("--ttl", flags.ttl, 86_400);
  if (ttlS === 0) throw usageError("--ttl must be at least 1 second");
  const weight = flags.weight === undefined ? undefined : numberOf("--weight", flags.weight, 256);
  const metadata = Object.fromEntries((flags.metadata ?? []).map(parseEntry));
  const given = flags.drainTimeout === undefined ? undefined : numberOf("--drain-timeout", flags.drainTimeout, 86_400);
  const address = hostOf(flags.address ?? (await io.addressTowards(target.server)));
  const poolId = await resolveId(client, "pool", flags.pool);
  const drainTimeoutS = given ?? (await client.pools.getPool({ id: poolId })).pool?.drainTimeoutS ?? 30;
  const registered = { poolId, address, port: port.value, weight, ttlS, name: flags.name ?? "", metadata };
  const registration = new Registration(client, io, registered);
  io.stderr.write(`fiberlb register: ${formatHostPort(address, port.value)} in pool ${flags.pool}\n`);
  await runRegistered(io, { registration, command: args, drainTimeoutMs: drainTimeoutS * 1000 });
}

function numberOf(flag: string, text: string, max: number): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number <= max) return number;
  throw usageError(`${flag} must be a whole number up to ${max}, not ${JSON.stringify(text)}`);
}

function hostOf(text: string) {
  const host = parseHost(text);
  if (host.ok) return host.value;
  throw usageError(`--address ${host.error}`);
}

function parseEntry(text: string): readonly [string, string] {
  const equals = text.indexOf("=");
  if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)];
  throw usageError(`--metadata must be KEY=VALUE, not ${JSON.stringify(text)}`);
}
