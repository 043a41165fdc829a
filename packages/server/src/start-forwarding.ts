/**
 * Wires the forwarding half of a node: resolver, health checks, tables, VIPs and the publisher that feeds them.
 */
import { hostname } from "node:os";

import { type Cidr, type IpAddress, rangeMatcher } from "@fiberlb/types";

import type { Clock } from "./clock.ts";
import type { Config } from "./config/config.ts";
import type { DataPlane } from "./data/data-plane.ts";
import { Forwarding } from "./forwarding.ts";
import { createHealthMonitor, type HealthMonitor } from "./health/monitor.ts";
import { loadCertificate } from "./load-certificate.ts";
import type { Log } from "./log.ts";
import { type Random, systemRandom } from "./random.ts";
import type { KeyRing } from "./repository/key-ring.ts";
import type { Repository } from "./repository/repository.ts";
import { CertificateShelf } from "./snapshot/certificate-shelf.ts";
import type { Lookups } from "./snapshot/compile.ts";
import { createSystemLookup } from "./snapshot/lookup.ts";
import { MaglevTables } from "./snapshot/maglev-tables.ts";
import { Publisher } from "./snapshot/publisher.ts";
import { createResolver, type Resolver } from "./snapshot/resolver.ts";
import { type Inheritance, NO_INHERITANCE } from "./takeover/messages.ts";
import { createVipBinder, type VipBinder } from "./vip/binder.ts";

/** What the forwarding half works with; it ends the data plane's workers, everything else stays its owner's. */
export interface ForwardingInputs {
  readonly config: Config;
  readonly log: Log;
  readonly version: string;
  readonly clock: Clock;
  readonly random?: Random;
  readonly repository: Repository;
  readonly dataPlane: DataPlane;
  /** Opens the private keys of certificates. */
  readonly keyRing: KeyRing;
  /** What the process before this one knew. */
  readonly inheritance?: Inheritance;
}

/** What was started, and the way to end it. */
export interface StartedForwarding {
  readonly forwarding: Forwarding;
  readonly monitor: HealthMonitor;
  /** Ends all of it, the data plane and its VIPs included. */
  stop(): Promise<void>;
  /** Ends what needs the store. Traffic goes on as configured last, and health checks for it do, until `halt`. */
  detach(): Promise<void>;
  /** What whoever follows need not find out again. */
  known(): Inheritance;
  /** Ends health checks and look-ups; only after `detach`. */
  halt(): void;
}

/** Starts what follows the store. Resolves when the first configuration has been applied. @throws when the store cannot be read. */
export async function startForwarding(parts: ForwardingInputs): Promise<StartedForwarding> {
  const { config, log, clock, version, dataPlane, repository } = parts;
  const random = parts.random ?? systemRandom;
  const { health } = parts.inheritance ?? NO_INHERITANCE;
  const tables = new MaglevTables({ onTable: (table) => dataPlane.setTable(table) });
  const binder = createNodeBinder(config, log);
  const resolver = createNodeResolver(parts, (name) => publisher.resolved(new Set([name])));
  const monitor = createHealthMonitor({ clock, random, onVerdict: (verdict) => forwarding.verdict(verdict) });
  const certificates = new CertificateShelf((named) => loadCertificate(parts, named));
  const lookups: Lookups = {
    resolveHost: (host) => resolver.resolve(host),
    findCertificate: (id) => certificates.find(id),
  };
  let names: ReadonlySet<string> = new Set();
  const session = repository.openNodeSession();
  const forwarding = new Forwarding({
    identity: { name: config.node.name ?? hostname(), version, startedAt: new Date(clock.epochMs()).toISOString() },
    dataPlane,
    tables,
    monitor,
    binder,
    session,
    lookups,
    followNames: (hosts) => {
      names = hosts;
      resolver.apply(hosts);
    },
    clock,
    log,
  });
  const publisher = new Publisher({
    source: repository,
    resolveHost: lookups.resolveHost,
    certificates,
    onSnapshot: (published) => forwarding.apply(published),
    clock,
    log,
  });
  for (const [backendId, verdict] of health) {
    // The table first: what a verdict changes of both is loaded in one go.
    tables.setHealth(backendId, verdict);
    dataPlane.setHealth(backendId, verdict);
  }
  await publisher.start();
  const halt = (): void => {
    monitor.stop();
    resolver.stop();
    tables.stop();
  };
  return {
    forwarding,
    monitor,
    halt,
    async detach() {
      await publisher.stop();
      await session.close();
    },
    known: () => ({ health: verdictsOf(monitor), addresses: addressesOf(names, resolver) }),
    async stop() {
      await publisher.stop();
      halt();
      // VIPs stay until the connections on them have ended.
      await dataPlane.stop({ drainTimeoutMs: config.shutdown.drainTimeoutMs });
      await binder.apply(dataPlane.vipsThatStay?.() ?? new Set());
      await session.close();
    },
  };
}

function createNodeResolver(parts: ForwardingInputs, onChange: (name: string) => void): Resolver {
  const { config, log, clock, random = systemRandom, inheritance = NO_INHERITANCE } = parts;
  return createResolver({
    clock,
    random,
    lookup: createSystemLookup(),
    refuse: refuseDenied(config.backends.deniedCidrs ?? []),
    known: new Map(inheritance.addresses),
    onChange: ({ name, address, problem }) => {
      if (problem !== undefined)
        log.warn("a backend's name cannot be resolved", { name, reason: problem, lastKnown: address });
      onChange(name);
    },
  });
}

function createNodeBinder({ dataPlane, store }: Config, log: Log): VipBinder {
  const stateFile = store.kind === "sqlite" && { stateFile: `${store.path}.vips.json` };
  return createVipBinder({ mode: dataPlane.bind, log, ...stateFile });
}

function verdictsOf(monitor: HealthMonitor): Inheritance["health"] {
  return monitor
    .reports()
    .flatMap(({ target, health }) => (health === "UNKNOWN" ? [] : [[target.backendId, health] as const]));
}

function addressesOf(names: Iterable<string>, resolver: Resolver): Inheritance["addresses"] {
  return [...names].flatMap((name) => {
    const { address } = resolver.resolve(name);
    return address === undefined ? [] : [[name, address] as const];
  });
}

/** Answers of DNS are judged like addresses that a user wrote. */
function refuseDenied(denied: readonly string[]): (address: string) => string | undefined {
  const isDenied = rangeMatcher(denied as readonly Cidr[]);
  return (address) => (isDenied(address as IpAddress) ? `${address} is in backends.deniedCidrs` : undefined);
}
