import type { Clock } from "../clock.ts";
import type { ApplyReport, DataPlane, DataPlaneLog } from "./data-plane.ts";
import { KernelDataPlane } from "./kernel-data-plane.ts";
import type { L4Mode } from "./l4/nftables/assignment.ts";
import { type RunCommand, runCommand } from "./l4/nftables/command.ts";
import { deleteFlows } from "./l4/nftables/conntrack.ts";
import { NftablesDriver, TableDriver } from "./l4/nftables/driver.ts";
import { DsrForwarder } from "./l4/nftables/dsr-forwarder.ts";
import type { HostFacts } from "./l4/nftables/eligibility.ts";
import { KernelForwarder } from "./l4/nftables/forwarder.ts";
import { readHost } from "./l4/nftables/host.ts";
import { KernelConnections } from "./l4/nftables/kernel-connections.ts";
import { KernelCounters } from "./l4/nftables/kernel-counters.ts";
import { KernelFigures } from "./l4/nftables/kernel-figures.ts";
import { knock as knockBy } from "./l4/nftables/knock.ts";
import { NETDEV_PLAN } from "./l4/nftables/netdev-hooks.ts";
import { PoolStates } from "./l4/nftables/pool-states.ts";
import { createRoutingGuard, type RouteOthers } from "./l4/nftables/routing.ts";
import { createDgramDatagrams } from "./transport/dgram-datagrams.ts";

/** How {@link createKernelDataPlane} makes a data plane. */
export interface KernelDataPlaneOptions {
  /** Makes the half in user space, and tells it where to report. */
  readonly createWorkers: (onReport: (report: ApplyReport) => void) => DataPlane;
  /** `dataPlane.l4`. */
  readonly mode: L4Mode;
  /** Name of the node, which marks its table. */
  readonly node: string;
  /** `dataPlane.routeOthers`. */
  readonly routeOthers: RouteOthers;
  /** Remembers whether this host was a router before; absent: not over a restart. */
  readonly routingFile?: string;
  /** `dataPlane.onStop`: whether the table leaves the kernel when this stops. */
  readonly removeOnStop: boolean;
  readonly clock: Clock;
  readonly log: DataPlaneLog;
  /** Called when the problems change without an `apply`. */
  readonly onReport: (report: ApplyReport) => void;
  /** Runs nft, conntrack and ip; default the real ones. */
  readonly run?: RunCommand;
  /** VIPs that this node has on an interface because it announces them there (l2). Default: none. */
  readonly isLinkVip?: (address: string) => boolean;
  /** Default: this host. */
  readonly host?: () => HostFacts;
  /** Makes the kernel ask for an address on its link; default: sends it an empty datagram. */
  readonly knock?: (address: string) => void;
}

/** Workers for what must be carried in user space, the kernel for what it can forward. */
export function createKernelDataPlane(options: KernelDataPlaneOptions): KernelDataPlane {
  const { createWorkers, mode, node, clock, log, onReport, run = runCommand } = options;
  const { isLinkVip = () => false, host = () => readHost(isLinkVip) } = options;
  const driver = new NftablesDriver({ run });
  const states = new PoolStates();
  const { knock = (address: string) => knockBy(createDgramDatagrams(), address) } = options;
  const onUnsettled = (): void => {
    dataPlane.resettle().catch((error: unknown) => log.error("cannot decide anew what the kernel forwards", { error }));
  };
  const dsrDriver = new TableDriver({ run, plan: NETDEV_PLAN });
  const dsr = new DsrForwarder({ node, driver: dsrDriver, states, run, knock, clock, log, onUnsettled });
  const forwarder = new KernelForwarder({
    mode,
    node,
    driver,
    states,
    dsr,
    deleteFlows: (group) => deleteFlows(run, group),
    host,
    guardRouting: createRoutingGuard({
      routeOthers: options.routeOthers,
      log,
      ...(options.routingFile !== undefined && { stateFile: options.routingFile }),
    }),
    clock,
    log,
    onUnsettled,
  });
  const workers = createWorkers((report) => onReport(dataPlane.complete(report)));
  const figures = new KernelFigures({
    driver: new KernelCounters(driver, dsr),
    connections: new KernelConnections({ run, clock, log }),
    clock,
    log,
  });
  const { removeOnStop } = options;
  const probe = async (): Promise<readonly string[]> =>
    mode === "userspace" ? [] : probeKernel(driver, dsrDriver).catch(() => []);
  const parts = { workers, forwarder, figures, probe, onReport, removeOnStop };
  const dataPlane: KernelDataPlane = new KernelDataPlane(parts);
  return dataPlane;
}

const NETDEV_PROBE = `add table netdev fiberlb-probe
add chain netdev fiberlb-probe c { type filter hook ingress device "lo" priority 0; }
`;

/** Has nft check what our tables are made of; changes nothing. */
async function probeKernel(
  inet: Pick<NftablesDriver, "canSetTimeouts">,
  netdev: Pick<NftablesDriver, "check">,
): Promise<readonly string[]> {
  if ((await inet.canSetTimeouts()) === undefined) return [];
  const hasNetdev = await netdev.check(NETDEV_PROBE).then(
    () => true,
    () => false,
  );
  return hasNetdev ? ["nftables", "dsr"] : ["nftables"];
}
