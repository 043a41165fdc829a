/**
 * Makes what announces this node's VIPs, as it is configured. The place where ways to announce are chosen.
 */
import { resolve } from "node:path";

import { createSpeaker, type Peer, type Speaker } from "@fiberlb/bgp-speaker";
import type { Store } from "@fiberlb/store";
import type { IpAddress } from "@fiberlb/types";

import type { Clock } from "../clock.ts";
import type { BgpConfig } from "../config/bgp-schema.ts";
import type { Config } from "../config/config.ts";
import { dataFolder } from "../data-folder.ts";
import type { Log } from "../log.ts";
import { type Random, systemRandom } from "../random.ts";
import type { NodeSession } from "../repository/node-session.ts";
import type { Repository } from "../repository/repository.ts";
import type { VipAnnouncer } from "./ability.ts";
import { Announcing } from "./announcing.ts";
import { BgpAnnouncer } from "./bgp/announcer.ts";
import { NextHops } from "./bgp/next-hop.ts";
import { BgpRecords } from "./bgp/records.ts";
import { settingsOf } from "./bgp/route-set.ts";
import { daemonOf, readText } from "./daemon.ts";
import { startGuardProcess } from "./guard/guard-process.ts";
import { relieveGuard } from "./guard/relief.ts";
import type { RouteGuard } from "./guard/route-guard.ts";
import { createL2Announcer } from "./l2/announcer.ts";

/** What {@link startAnnouncing} works with. */
export interface AnnouncingInputs {
  readonly config: Config;
  /** This node's name. */
  readonly node: string;
  readonly store: Store;
  readonly repository: Repository;
  readonly session: NodeSession;
  readonly clock: Clock;
  readonly random?: Random;
  readonly log: Log;
}

/**
 * Begins to announce: sessions at once, VIPs once a configuration has been applied.
 * @throws Error that names the file when one that `bgp` names cannot be read.
 */
export async function startAnnouncing(inputs: AnnouncingInputs): Promise<Announcing> {
  const { config, repository, clock } = inputs;
  const { bgp } = config;
  const guard = bgp === undefined ? undefined : await startGuard(inputs, bgp);
  return new Announcing({
    create: {
      ...(bgp !== undefined && {
        BGP: () => createBgpAnnouncer({ ...inputs, ...(guard !== undefined && { guard }) }, bgp),
      }),
      L2: () => createNodeL2Announcer(inputs),
    },
    fallback: bgp === undefined ? "NONE" : "BGP",
    pools: repository.vipPoolView,
    withdrawWaitMs: config.shutdown.withdrawWaitMs,
    clock,
  });
}

/** The one of an earlier process, which was killed, leaves first: it would withdraw what this one announces. */
async function startGuard({ config, clock, log }: AnnouncingInputs, bgp: BgpConfig): Promise<RouteGuard> {
  const folder = dataFolder(config);
  const socketPath = folder === undefined ? undefined : resolve(folder, "bgp-guard.sock");
  if (socketPath !== undefined) await relieveGuard(socketPath, clock);
  const { orphanTimeoutMs } = bgp;
  const orders = { ...daemonOf(bgp), orphanTimeoutMs, ...(socketPath !== undefined && { socketPath }) };
  return startGuardProcess({ orders, clock, log });
}

type Guarded = AnnouncingInputs & { readonly guard?: RouteGuard };

function createNodeL2Announcer({ config, node, store, repository, clock, log }: AnnouncingInputs): VipAnnouncer {
  return createL2Announcer({
    store,
    clock,
    log,
    node,
    interfaceOf: (pool) => repository.vipPoolView.find(pool)?.announce?.interface,
    leaseTtlMs: config.l2.leaseTtlS * 1000,
    preemptAfterMs: config.l2.preemptAfterS * 1000,
    isStoreExclusive: config.store.kind !== "etcd",
  });
}

function createBgpAnnouncer(inputs: Guarded, bgp: BgpConfig): BgpAnnouncer {
  const { config, node, repository, session, guard, clock, log } = inputs;
  const speaker = createNodeSpeaker(bgp, inputs);
  const records = new BgpRecords({ node, session, clock });
  const nextHops = new NextHops({ clock, onChange: () => announcer.refresh() });
  const state = () => ({ announcements: announcer.state(), status: speaker.status(), localAsn: bgp.asn ?? 0 });
  const announcer = new BgpAnnouncer({
    node,
    speaker,
    nextHops,
    view: repository.announcements,
    settingsOf: (pool) => settingsOf(bgp, repository.vipPoolView.find(pool)),
    ...(guard !== undefined && { guard }),
    withdrawWaitMs: config.shutdown.withdrawWaitMs,
    onChange: () => records.update(state),
    clock,
    log,
  });
  followRouters(bgp, speaker, nextHops);
  repository.vipPoolView.onChange(() => announcer.refresh());
  return announcer;
}

/** The routers are those of the configuration, or, when the daemon has its own, those that it tells of. */
function followRouters({ peers, manage }: BgpConfig, speaker: Speaker, nextHops: NextHops): void {
  if (manage) {
    void nextHops.follow(peers.map(({ address }) => address as IpAddress));
    return;
  }
  speaker.onStatus((status) => {
    if (status.daemon.state === "ready") void nextHops.follow(status.peers.map(({ address }) => address));
  });
}

function createNodeSpeaker(bgp: BgpConfig, { clock, random = systemRandom, log }: AnnouncingInputs): Speaker {
  for (const { passwordFile } of bgp.peers)
    if (passwordFile !== undefined) readText("bgp.peers.passwordFile", passwordFile);
  return createSpeaker({
    ...daemonOf(bgp),
    ...(bgp.manage && {
      manage: {
        asn: bgp.asn ?? 0,
        routerId: bgp.routerId as IpAddress,
        ...(bgp.listenPort !== undefined && { listenPort: bgp.listenPort }),
        ...(bgp.listenAddresses !== undefined && { listenAddresses: bgp.listenAddresses }),
        peers: bgp.peers as Peer[],
      },
    }),
    clock: { now: () => clock.nowMs(), after: (delayMs, callback) => clock.after(delayMs, callback) },
    random,
    logger: { info: (message) => log.info(message), warn: (message) => log.warn(message) },
  });
}
