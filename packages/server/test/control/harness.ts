import { createFiberlbClient, type FiberlbClient, type FiberlbClientOptions } from "@fiberlb/api";
import { createMemoryStore, type Store } from "@fiberlb/store";
import { parseSpec, type VipPoolSpec } from "@fiberlb/types";

import { type Clock, systemClock } from "../../src/clock.ts";
import { type ControlPlane, type ControlPlaneOptions, createControlPlane } from "../../src/control/control-plane.ts";
import type { ApiCall } from "../../src/control/interceptors.ts";
import { createKeyRing } from "../../src/control/secrets.ts";
import type { NodeSession } from "../../src/repository/node-session.ts";

/** A control plane that serves on a free port, with everything that a test looks at. */
export interface Harness {
  readonly store: Store;
  readonly controlPlane: ControlPlane;
  readonly baseUrl: string;
  /** Errors that the control plane logged: none in a test that does not provoke them. */
  readonly logged: string[];
  readonly calls: ApiCall[];
  /** A client of the tenant, or of default/default. Closed with the harness. */
  client(options?: Partial<FiberlbClientOptions>): FiberlbClient;
  /** Plays a data plane that applies everything at once. */
  startNode(name?: string): NodeSession;
  /** Throws when the control plane logged an error that the test did not expect. */
  close(): Promise<void>;
  /** For `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface HarnessOptions extends Partial<Omit<ControlPlaneOptions, "store" | "clock" | "vipPools">> {
  /** The test provokes errors. Default false. */
  readonly expectsErrors?: boolean;
  readonly store?: Store;
  readonly clock?: Clock;
  readonly vipPools?: readonly object[];
}

export const TEST_KEY = new Uint8Array(32).fill(7);

/** A checked VIP pool. */
export function vipPool(input: object): VipPoolSpec {
  const parsed = parseSpec("vipPool", input);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.violations));
  return parsed.value;
}

export async function startHarness(options: HarnessOptions = {}): Promise<Harness> {
  const { store: givenStore, clock = systemClock, vipPools, expectsErrors = false, ...rest } = options;
  const store = givenStore ?? createMemoryStore();
  const logged: string[] = [];
  const calls: ApiCall[] = [];
  const clients: FiberlbClient[] = [];
  const controlPlane = createControlPlane({
    store,
    clock,
    keyRing: createKeyRing([TEST_KEY]),
    vipPools: (vipPools ?? [{ name: "default", cidrs: ["127.10.0.0/16"] }]).map(vipPool),
    onCall: (call) => calls.push(call),
    log: {
      warn: (message) => logged.push(message),
      error: (what, error) =>
        logged.push(`${what}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`),
    },
    ...rest,
  });
  await controlPlane.start();
  const { port } = await controlPlane.listen(0, "127.0.0.1");
  const baseUrl = `http${rest.tls === undefined ? "" : "s"}://127.0.0.1:${port}`;
  const followers: AbortController[] = [];
  const sessions: NodeSession[] = [];
  const close = async (): Promise<void> => {
    for (const follower of followers) follower.abort();
    for (const session of sessions) await session.close();
    for (const client of clients) client.close();
    await controlPlane.close({ graceMs: 1000 });
    if (givenStore === undefined) await store.close();
    if (logged.length > 0 && !expectsErrors) throw new Error(`The control plane logged: ${logged.join("\n")}`);
  };
  return {
    store,
    controlPlane,
    baseUrl,
    logged,
    calls,
    client(clientOptions = {}) {
      const client = createFiberlbClient({ baseUrl, ...clientOptions });
      clients.push(client);
      return client;
    },
    startNode(name = "lb-1") {
      const session = startNode(controlPlane, name, followers);
      sessions.push(session);
      return session;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function startNode({ repository }: ControlPlane, name: string, followers: AbortController[]): NodeSession {
  const session = repository.openNodeSession(name);
  const node = { name, state: "READY", addresses: [], version: "0.0.0", problems: [], capabilities: [] } as const;
  const publish = (appliedRevision: number): void =>
    session.publish({
      ...node,
      problems: [],
      addresses: [],
      capabilities: [],
      startedAt: "2026-01-01T00:00:00.000Z",
      appliedRevision,
    });
  const follower = new AbortController();
  followers.push(follower);
  publish(0);
  void follow();
  return session;

  async function follow(): Promise<void> {
    const { revision } = await repository.loadAll();
    publish(revision);
    for await (const change of repository.watch(revision + 1, follower.signal)) {
      if (change.type === "changed") publish(change.revision);
    }
  }
}

/** Asks as curl would: JSON over HTTP/1.1. */
export async function curl(baseUrl: string, rpc: string, body: object, headers: Record<string, string> = {}) {
  const response = await fetch(`${baseUrl}/fiberlb.v1.${rpc}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** What is in the store and when it was written; the same means that no call wrote anything. Nodes write by themselves. */
export async function stateOf(store: Store): Promise<string> {
  const { kvs } = await store.range({ start: "", end: "\0", keysOnly: true });
  const written = kvs.filter(({ key }) => !key.startsWith("/lb/v1/node/"));
  return written.map(({ key, modRevision }) => `${key}@${modRevision}`).join("\n");
}
