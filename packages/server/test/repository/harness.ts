import { randomFillSync } from "node:crypto";

import { createMemoryStore, type Store } from "@fiberlb/store";
import { parseSpec, type Specs } from "@fiberlb/types";

import type { Clock } from "../../src/clock.ts";
import type { Stored } from "../../src/repository/entity-reader.ts";
import type { Tenant, TenantKind } from "../../src/repository/keys.ts";
import { Repository } from "../../src/repository/repository.ts";
import { FakeClock } from "../fake-clock.ts";

export const TENANT: Tenant = { orgId: "acme", projectId: "prod" };

/** A spec as a client would give it, with every default. */
export function spec<K extends TenantKind | "vipPool">(kind: K, input: object): Specs[K] {
  const parsed = parseSpec(kind, input);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.violations));
  return parsed.value;
}

/** The store's leases run on the test's clock, too. */
export const storeOn = (clock: Clock): Store =>
  createMemoryStore({ clock: { now: () => clock.nowMs(), after: (delayMs, fn) => clock.after(delayMs, fn) } });

export interface RepositoryHarness {
  readonly store: Store;
  readonly clock: FakeClock;
  readonly repository: Repository;
  /** What went wrong in the background. */
  readonly errors: string[];
  readonly create: <K extends TenantKind>(kind: K, input: object, tenant?: Tenant) => Promise<Stored<K>>;
  /** Throws when something went wrong in the background. */
  stop(): Promise<void>;
}

export interface RepositoryHarnessOptions {
  readonly store?: Store;
  readonly clock?: FakeClock;
  readonly cidrs?: readonly string[];
  readonly vipReuseDelayMs?: number;
  readonly isIdle?: (backendId: string) => boolean;
}

/** A started repository on a clock that the test moves. */
export async function startRepository(options: RepositoryHarnessOptions = {}): Promise<RepositoryHarness> {
  const clock = options.clock ?? new FakeClock();
  const store = options.store ?? storeOn(clock);
  const errors: string[] = [];
  const repository = new Repository({
    store,
    clock,
    fillRandom: randomFillSync,
    vipReuseDelayMs: options.vipReuseDelayMs ?? 60_000,
    onError: (error, what) => errors.push(`${what}: ${String(error)}`),
    ...(options.isIdle !== undefined && { isIdle: options.isIdle }),
  });
  await repository.seedVipPools([spec("vipPool", { name: "default", cidrs: options.cidrs ?? ["192.0.2.0/24"] })]);
  await repository.start();
  return {
    store,
    clock,
    repository,
    errors,
    async create<K extends TenantKind>(kind: K, input: object, tenant = TENANT) {
      return (await repository.create({ tenant, kind, spec: spec(kind, input), validateOnly: false })).stored;
    },
    async stop() {
      await repository.stop();
      await store.close();
      if (errors.length > 0) throw new Error(`In the background: ${errors.join("\n")}`);
    },
  };
}

/** Every key of the store. */
export async function keysOf(store: Store): Promise<string[]> {
  const { kvs } = await store.range({ start: "", end: "\0", keysOnly: true });
  return kvs.map(({ key }) => key);
}

/** Waits until the store holds what is expected; events drive it, the test's deadline ends it. */
export async function eventually(store: Store, holds: () => Promise<boolean>): Promise<void> {
  const { revision } = await store.status();
  if (await holds()) return;
  for await (const _ of store.watch({ start: "", end: "\0", fromRevision: revision + 1 })) {
    if (await holds()) return;
  }
}
