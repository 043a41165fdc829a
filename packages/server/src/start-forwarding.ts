/**
 * Wires the forwarding half of a node: resolver, health checks, tables, VIPs and the publisher that feeds them.
 */
import { networkInterfaces } from "node:os";

import type { Certificate } from "@fiberlb/types";

import type { Announcing } from "./announce/announcing.ts";
import type { Clock } from "./clock.ts";
import type { Config } from "./config/config.ts";
import { dataFile } from "./data-folder.ts";
import type { DataPlane } from "./data/data-plane.ts";
import type { StoreEntry } from "./enter-store.ts";
import { Forwarding } from "./forwarding.ts";
import { createHealthMonitor, type HealthMonitor } from "./health/monitor.ts";
import type { SavedNode } from "./last-applied/format.ts";
import type { LastApplied } from "./last-applied/last-applied.ts";
import { loadCertificate } from "./load-certificate.ts";
import type { Log } from "./log.ts";
import { DrainWatch } from "./node-drain.ts";
import { hostAddresses, type NodeIdentity, NodeReport } from "./node-report.ts";
import { type Random, systemRandom } from "./random.ts";
import type { Election } from "./repository/election.ts";
import type { KeyRing } from "./repository/key-ring.ts";
import type { NodeSession } from "./repository/node-session.ts";
import type { Repository } from "./repository/repository.ts";
import { CertificateShelf } from "./snapshot/certificate-shelf.ts";
import type { Lookups } from "./snapshot/compile.ts";
import type { NameLookup } from "./snapshot/lookup.ts";
import { MaglevTables } from "./snapshot/maglev-tables.ts";
import { Publisher } from "./snapshot/publisher.ts";
import type { Resolver } from "./snapshot/resolver.ts";
import { startNames } from "./start-names.ts";
import { type Inheritance, NO_INHERITANCE } from "./takeover/messages.ts";
import { createVipBinder, type VipBinder } from "./vip/binder.ts";
import { type LinkVips, sparingLinkVips } from "./vip/link-vips.ts";

/** What the forwarding half works with; it ends the data plane's workers, everything else stays its owner's. */
export interface ForwardingInputs {
  readonly config: Config;
  readonly log: Log;
  readonly identity: NodeIdentity;
  readonly clock: Clock;
  readonly random?: Random;
  /** Asks name servers. Default: as this host does. */
  readonly lookup?: NameLookup;
  readonly repository: Repository;
  readonly session: NodeSession;
  readonly dataPlane: DataPlane;
  /** Opens the private keys of certificates. */
  readonly keyRing: KeyRing;
  /** Learns what is served and has it announced, and withdraws it while the node drains. Default: nothing does. */
  readonly announcing?: Announcing;
  /** VIPs that are not for `lo`. */
  readonly linkVips: LinkVips;
  /** What the process before this one knew. */
  readonly inheritance?: Inheritance;
  /** Keeps what is applied on disk. */
  readonly lastApplied?: LastApplied;
  /** What to begin with, because the store is away. */
  readonly meanwhile?: StoreEntry["meanwhile"] | undefined;
}

/** What was started, and the way to end it. */
export interface StartedForwarding {
  readonly forwarding: Forwarding;
  readonly monitor: HealthMonitor;
  readonly drain: DrainWatch;
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
  const { config, log, clock, identity, dataPlane, repository, session } = parts;
  const { health } = parts.inheritance ?? NO_INHERITANCE;
  const election = repository.openElection(identity.name, session);
  const capabilities = ["userspace", ...((await dataPlane.capabilities?.()) ?? [])];
  const wired = wire(parts, { election, capabilities });
  const { forwarding, publisher, monitor, resolver, tables, binder, report } = wired;
  assumeSaved(parts);
  const drain = new DrainWatch({
    name: identity.name,
    maintenance: repository.maintenance,
    announcers: parts.announcing === undefined ? [] : [parts.announcing],
    countConnections: () => countConnections(dataPlane, forwarding),
    onChange: (state) => {
      report.draining(state);
      parts.lastApplied?.touch();
    },
    clock,
    log,
  });
  for (const [backendId, verdict] of health) {
    // The table first: what a verdict changes of both is loaded in one go.
    tables.setHealth(backendId, verdict);
    dataPlane.setHealth(backendId, verdict);
  }
  parts.announcing?.serving.inheritHealth(health);
  await publisher.start();
  const halt = (): void => {
    monitor.stop();
    resolver.stop();
    tables.stop();
  };
  const endPublishing = async (): Promise<void> => {
    drain.stop();
    election.stop();
    await publisher.stop();
    await parts.lastApplied?.stop();
  };
  return {
    forwarding,
    monitor,
    drain,
    halt,
    async detach() {
      await endPublishing();
      await session.close();
    },
    known: () => ({ health: verdictsOf(monitor), addresses: wired.addresses() }),
    async stop() {
      await endPublishing();
      halt();
      // It applies no change any more, so nobody is to wait for it while its connections finish.
      await session.close();
      // VIPs stay until the connections on them have ended.
      await dataPlane.stop({ drainTimeoutMs: config.shutdown.drainTimeoutMs });
      await binder.apply(dataPlane.vipsThatStay?.() ?? new Set());
    },
  };
}

interface NodeTraits {
  readonly election: Election;
  readonly capabilities: readonly string[];
}

/** The parts that know each other. */
function wire(parts: ForwardingInputs, { election, capabilities }: NodeTraits) {
  const { config, log, clock, identity, dataPlane, repository, session, random = systemRandom } = parts;
  const { lastApplied, meanwhile } = parts;
  const saved = meanwhile?.saved;
  const tables = new MaglevTables({ onTable: (table) => dataPlane.setTable(table) });
  const binder = sparingLinkVips(createNodeBinder(config, log), parts.linkVips);
  const resolver = startNames({
    ...parts,
    random,
    election,
    known: new Map([...(saved?.node.addresses ?? []), ...(parts.inheritance ?? NO_INHERITANCE).addresses]),
    onChange: (name) => publisher.resolved(new Set([name])),
  });
  const monitor = createHealthMonitor({ clock, random, onVerdict: (verdict) => forwarding.verdict(verdict) });
  const kept = (id: string): Certificate | undefined => saved?.certificates.get(id);
  const certificates = new CertificateShelf((named) => loadCertificate({ ...parts, kept }, named));
  const lookups: Lookups = {
    resolveHost: (host) => resolver.resolve(host),
    findCertificate: (id) => certificates.find(id),
  };
  const report = new NodeReport({
    identity,
    session,
    describe: () => ({
      addresses: hostAddresses(networkInterfaces(), vipsOf(forwarding)),
      capabilities: [...capabilities, ...(parts.announcing?.kinds ?? []).map((kind) => kind.toLowerCase())],
    }),
  });
  let names: ReadonlySet<string> = new Set();
  const followNames = (hosts: ReadonlySet<string>): void => {
    names = hosts;
    resolver.apply(hosts);
  };
  const addresses = (): Inheritance["addresses"] => addressesOf(names, resolver);
  keep(parts, { addresses, certificate: (id) => storedForm(certificates, id) });
  const { serving } = parts.announcing ?? {};
  const served = serving !== undefined && { serving };
  const shared = { ...served, dataPlane, tables, monitor, binder, session, lookups, clock, log };
  const forwarding = new Forwarding({ ...shared, report, followNames });
  const publisher = new Publisher({
    source: repository,
    resolveHost: lookups.resolveHost,
    certificates,
    ...(meanwhile !== undefined && { meanwhile: { trees: meanwhile.saved.trees, over: meanwhile.over } }),
    onSnapshot: async (published) => {
      await forwarding.apply(published);
      lastApplied?.note(published);
    },
    clock,
    log,
  });
  return { forwarding, publisher, monitor, resolver, tables, binder, report, addresses };
}

/** What of the store is no load balancer's, and matters all the same while it is away. */
function assumeSaved({ meanwhile, repository, identity }: ForwardingInputs): void {
  if (meanwhile === undefined) return;
  const { drain, vipPools } = meanwhile.saved.node;
  if (drain !== undefined) repository.maintenance.assume(identity.name, drain);
  repository.vipPoolView.assume(vipPools);
}

interface KeptSources {
  readonly addresses: () => Inheritance["addresses"];
  readonly certificate: (id: string) => Certificate | undefined;
}

function keep({ lastApplied, repository, identity }: ForwardingInputs, { addresses, certificate }: KeptSources): void {
  const { maintenance, vipPoolView } = repository;
  const node = (): SavedNode => ({
    addresses: addresses(),
    drain: maintenance.orderFor(identity.name),
    vipPools: [...vipPoolView.all()],
  });
  lastApplied?.use({ node, certificate });
  if (lastApplied !== undefined) vipPoolView.onChange(() => lastApplied.touch());
}

const storedForm = (certificates: CertificateShelf, id: string): Certificate | undefined => {
  const found = certificates.find(id);
  return found.ok ? found.material.stored : undefined;
};

function createNodeBinder(config: Config, log: Log): VipBinder {
  const stateFile = dataFile(config, "vips.json");
  return createVipBinder({ mode: config.dataPlane.bind, log, ...(stateFile !== undefined && { stateFile }) });
}

const vipsOf = ({ snapshot: { units } }: Forwarding): ReadonlySet<string> =>
  new Set([...units.values()].map(({ vip }) => vip));

async function countConnections(dataPlane: DataPlane, { snapshot }: Forwarding): Promise<number> {
  await dataPlane.refreshFigures?.();
  return [...snapshot.units.values()]
    .flatMap(({ listeners }) => listeners)
    .reduce((sum, { id }) => sum + dataPlane.listenerFigures(id).connectionsActive, 0);
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
