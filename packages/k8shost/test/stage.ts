import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Code, ConnectError } from "@connectrpc/connect";
import { googleRpc } from "@fiberlb/api";
import { createK8shostClient, type K8shostClient } from "@fiberlb/api/k8shost";
import { createMemoryStore, openSqliteStore, type Store } from "@fiberlb/store";

import { createK8shost, type K8shostOptions } from "../src/index.ts";

type Caller = Omit<Parameters<typeof createK8shostClient>[0], "baseUrl">;

/** A host that serves on a free port; without its loops, unless the test wants them. */
export interface Stage extends AsyncDisposable {
  readonly store: Store;
  readonly baseUrl: string;
  /** Errors that no rule foresaw: none in a test that does not provoke them. */
  readonly logged: string[];
  /** Closed with the stage. */
  client(caller?: Caller): K8shostClient;
}

export const STORES = ["memory", "sqlite"] as const;

/** An empty store, and what removes it. */
export async function openStore(
  kind: (typeof STORES)[number],
): Promise<{ readonly store: Store; readonly remove: () => Promise<void> }> {
  if (kind === "memory") {
    const store = createMemoryStore();
    return { store, remove: () => store.close() };
  }
  const folder = mkdtempSync(join(tmpdir(), "fiberlb-k8shost-"));
  const store = await openSqliteStore({ path: join(folder, "k8shost.db") });
  return {
    store,
    async remove() {
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export async function startStage(
  options: Partial<K8shostOptions> & { readonly kind?: (typeof STORES)[number] } = {},
): Promise<Stage> {
  const { kind = "memory", ...rest } = options;
  const { store, remove } =
    rest.store === undefined ? await openStore(kind) : { store: rest.store, remove: () => Promise.resolve() };
  const logged: string[] = [];
  const note = (event: string, fields: object = {}): void => void logged.push(`${event} ${JSON.stringify(fields)}`);
  const logger = { debug() {}, info() {}, warn: note, error: note };
  const host = createK8shost({ logger, runsLoops: false, ...rest, store });
  await host.start();
  const { port } = await host.listen({ port: 0 });
  const baseUrl = `${rest.tls === undefined ? "http" : "https"}://127.0.0.1:${port}`;
  const clients: K8shostClient[] = [];
  return {
    store,
    baseUrl,
    logged,
    client(caller = {}) {
      const client = createK8shostClient({ baseUrl, ...caller });
      clients.push(client);
      return client;
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.close();
      await host.stop();
      await remove();
      if (logged.length > 0) throw new Error(`The host logged: ${logged.join("\n")}`);
    },
  };
}

/** What a call was refused with. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  /** Names of the bad fields. */
  readonly fields: readonly string[];
}

/** Fails when the call succeeds. */
export async function refusal(call: Promise<unknown>): Promise<Refusal> {
  try {
    await call;
  } catch (error) {
    const { code, rawMessage, findDetails } = asConnectError(error);
    const fields = findDetails().flatMap(({ fieldViolations }) => fieldViolations.map(({ field }) => field));
    return { code: Code[code], message: rawMessage, fields };
  }
  throw new Error("The call succeeded");
}

function asConnectError(error: unknown) {
  const known = ConnectError.from(error);
  return {
    code: known.code,
    rawMessage: known.rawMessage,
    findDetails: () => known.findDetails(googleRpc.BadRequestSchema),
  };
}

export const container = {
  name: "web",
  image: "registry.example/web:1",
  ports: [{ name: "http", containerPort: 8080 }],
};

/** As little as a Pod can be. */
export const pod = (
  name: string,
  more: { labels?: Record<string, string>; spec?: object; namespace?: string } = {},
) => ({
  metadata: { name, namespace: more.namespace ?? "", labels: more.labels ?? {} },
  spec: { containers: [container], ...more.spec },
});

export const service = (name: string, spec: object = {}) => ({
  metadata: { name },
  spec: { selector: { app: name }, ports: [{ port: 80 }], ...spec },
});
