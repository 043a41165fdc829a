// A node as a process of its own, for tests that kill it. Arguments: a file with its configuration, and `takeover` to take
// over from the process that runs with the same store.
import { readFileSync } from "node:fs";

import { createLog, parseConfig, startServer } from "../../src/index.ts";

const [file = "", mode] = process.argv.slice(2);
const parsed = parseConfig({ env: {}, flags: JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown> });
if (!parsed.ok) throw new Error(parsed.problems.join("\n"));

const log = createLog({ level: "info", format: "json", write: (line) => process.stderr.write(`${line}\n`) });
const server = await startServer({
  config: parsed.config,
  log,
  version: "0.0.0-test",
  ...(mode === "takeover" && { takeover: { onRevoked: (reason: string) => process.exit(Number(reason !== "")) } }),
});

const stop = (): void => void server.stop().then(() => process.exit(0));
process.once("SIGTERM", stop);
void server.handedOver.then(stop);
