import type { Command } from "commander";

import type { CliIo } from "../io.ts";
import { parseWritableKind } from "../kinds.ts";
import { resolveId } from "../lookup.ts";
import { deleteOne } from "../rpc.ts";
import { onServer, withExamples } from "./command.ts";

/** `fiberlb delete KIND ID|NAME [--cascade]`. */
export function addDelete(program: Command, io: CliIo): void {
  const command = program
    .command("delete")
    .summary("delete a resource")
    .description("Deletes one resource. What has something below it needs --cascade.")
    .argument("<kind>", "as with get")
    .argument("<name>", "id, name or path")
    .option("--cascade", "delete what is below it, too", false);
  withExamples(command, [
    ["fiberlb delete backend web/app/10.0.0.5:8080", "one server of a pool"],
    ["fiberlb delete lb web --cascade", "a load balancer with everything below it"],
  ]);
  onServer<{ cascade: boolean }>(command, io, async ({ args: [kindText = "", name = ""], flags, client }) => {
    const { kind, label } = parseWritableKind(kindText);
    const id = await resolveId(client, kind, name);
    await deleteOne(client, kind, { id, cascade: flags.cascade });
    io.stdout.write(`deleted ${label} ${name}${id === name ? "" : ` (${id})`}\n`);
  });
}
