import { randomBytes } from "node:crypto";

import { createFiberlbClient, type FiberlbClient } from "@fiberlb/api";
import { createMemoryStore, type Store } from "@fiberlb/store";

import { type Clock, systemClock } from "../../src/clock.ts";
import { createKeyRing } from "../../src/control/secrets.ts";
import type { BackendFigures, DataPlane, ListenerFigures } from "../../src/data/data-plane.ts";
import { createLog, parseConfig } from "../../src/index.ts";
import { LastApplied } from "../../src/last-applied/last-applied.ts";
import { SavedFiles } from "../../src/last-applied/saved-files.ts";
import { type Management, startManagement } from "../../src/management.ts";
import type { NameLookup } from "../../src/snapshot/lookup.ts";
import type { Problem, Snapshot } from "../../src/snapshot/snapshot.ts";
import type { LogLine } from "../e2e/test-node.ts";
import { type Connection, connect } from "../shared-store.ts";

/** Applies everything at once and carries nothing: two real ones could not bind one VIP on one host. */
export class FakeDataPlane implements Partial<DataPlane> {
  snapshot: Snapshot = { revision: 0, units: new Map() };
  problems: readonly Problem[] = [];
  /** Of every listener. */
  connectionsActive = 0;
  /** Applies nothing until this is resolved. */
  hold: Promise<void> = Promise.resolve();
  readonly workerLosses = 0;

  async apply(snapshot: Snapshot): ReturnType<DataPlane["apply"]> {
    await this.hold;
    this.snapshot = snapshot;
    return { revision: snapshot.revision, problems: this.problems };
  }

  listenerFigures(): ListenerFigures {
    return { connectionsActive: this.connectionsActive } as ListenerFigures;
  }

  backendFigures(): BackendFigures {
    return { connectionsActive: 0 } as BackendFigures;
  }

  setHealth(): void {}
  setTable(): void {}
  async stop(): Promise<void> {}

  /** Addresses of backends that traffic would go to. */
  get backends(): string[] {
    return [...this.snapshot.units.values()]
      .flatMap(({ pools }) => pools)
      .flatMap(({ backends }) => backends.map(({ address = "none" }) => address));
  }
}

/** A node of the cluster: all of it but the data plane. */
export interface ClusterNode {
  readonly name: string;
  readonly client: FiberlbClient;
  readonly management: Management;
  readonly dataPlane: FakeDataPlane;
  /** Its way to the store. */
  readonly line: Connection;
  readonly log: readonly LogLine[];
  stop(): Promise<void>;
}

/** What makes a node differ from the others. */
export interface NodeTraits {
  /** Default: one of its own. */
  readonly installation?: string;
  readonly lookup?: NameLookup;
  readonly flags?: Readonly<Record<string, unknown>>;
  /** The store is away when it starts. */
  readonly withoutStore?: boolean;
  readonly clock?: Clock;
  /** Where it keeps what it applied last. */
  readonly folder?: string;
}

/** Nodes that share one store in this process. */
export class TestCluster {
  readonly store: Store = createMemoryStore();
  readonly #key = randomBytes(32);
  readonly #nodes = new Set<ClusterNode>();

  /** @throws what the node's start throws */
  async start(name: string, traits: NodeTraits = {}): Promise<ClusterNode> {
    const line = connect(this.store);
    if (traits.withoutStore === true) line.cut();
    const dataPlane = new FakeDataPlane();
    const lines: LogLine[] = [];
    const write = (text: string): void => void lines.push(JSON.parse(text) as LogLine);
    const { clock = systemClock, folder } = traits;
    const log = createLog({ level: "debug", format: "json", write });
    const files = folder === undefined ? undefined : new SavedFiles(folder);
    const management = await startManagement({
      config: configOf(name, traits.flags),
      log,
      version: "0.0.0-test",
      instance: instanceOf(name, traits.installation),
      clock,
      ...(files !== undefined && { lastApplied: new LastApplied({ files, clock, log }) }),
      store: line.store,
      dataPlane: dataPlane as Partial<DataPlane> as DataPlane,
      keyRing: createKeyRing([this.#key]),
      keyFingerprint: "one for all",
      startDataPlane: async () => undefined,
      onForwarding: () => undefined,
      ...(traits.lookup !== undefined && { lookup: traits.lookup }),
    });
    const client = createFiberlbClient({ baseUrl: management.apiUrl });
    const node: ClusterNode = {
      name,
      client,
      management,
      dataPlane,
      line,
      log: lines,
      stop: async () => {
        this.#nodes.delete(node);
        client.close();
        await management.stop();
      },
    };
    this.#nodes.add(node);
    return node;
  }

  async stop(): Promise<void> {
    for (const node of this.#nodes) {
      node.line.restore();
      await node.stop();
    }
    await this.store.close();
  }
}

function configOf(name: string, flags: Readonly<Record<string, unknown>> = {}) {
  const parsed = parseConfig({
    env: {},
    flags: {
      "node.name": name,
      "api.listen": "127.0.0.1:0",
      "admin.listen": "127.0.0.1:0",
      "store.kind": "memory",
      vipPools: [{ name: "default", cidrs: ["127.99.0.0/24"] }],
      ...flags,
    },
  });
  if (!parsed.ok) throw new Error(parsed.problems.join("\n"));
  return parsed.config;
}

let processes = 0;

const instanceOf = (name: string, installation = `installation of ${name}`) => ({
  installation,
  process: `process ${processes++}`,
  host: `host-of-${installation}`,
  startedAt: new Date(Date.UTC(2026, 0, 1)).toISOString(),
});
