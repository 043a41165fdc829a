import { createFiberlbClient, type FiberlbClient } from "@fiberlb/api";

import { createLog, parseConfig, type RunningServer, startServer } from "../../src/index.ts";

/** A line that the node logged. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly level: string; readonly event: string };

/** A whole node in this process, and a client of its API. */
export interface TestNode {
  readonly server: RunningServer;
  readonly client: FiberlbClient;
  readonly log: readonly LogLine[];
  stop(): Promise<void>;
}

/** Loopback addresses that no other test process uses at the same time. */
const NETWORK = `127.${30 + (process.pid % 200)}`;
let nodes = 0;

/** Starts a node with two workers and a store in memory; `flags` are configuration keys. */
export async function startTestNode(flags: Readonly<Record<string, unknown>> = {}): Promise<TestNode> {
  nodes += 1;
  const parsed = parseConfig({
    env: {},
    flags: {
      "api.listen": "127.0.0.1:0",
      "admin.listen": "127.0.0.1:0",
      "store.kind": "memory",
      "dataPlane.workers": 2,
      "shutdown.drainTimeoutMs": 0,
      vipPools: [{ name: "default", cidrs: [`${NETWORK}.${nodes}.0/24`] }],
      ...flags,
    },
  });
  if (!parsed.ok) throw new Error(parsed.problems.join("\n"));
  const lines: LogLine[] = [];
  const log = createLog({ level: "debug", format: "json", write: (line) => lines.push(JSON.parse(line) as LogLine) });
  const server = await startServer({ config: parsed.config, log, version: "0.0.0-test" });
  const client = createFiberlbClient({ baseUrl: server.apiUrl });
  return {
    server,
    client,
    log: lines,
    async stop() {
      client.close();
      await server.stop();
    },
  };
}
