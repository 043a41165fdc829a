/**
 * What a node says of itself to the others and to the API: who it is, what it has applied, what does not work, whether it
 * leaves service.
 */
import type { NetworkInterfaceInfo } from "node:os";

import type { Node, NodeDrain } from "@fiberlb/types";

import type { NodeSession } from "./repository/node-session.ts";
import type { Problem } from "./snapshot/snapshot.ts";

/** What of a node stays the same while its process lives. */
export interface NodeIdentity {
  readonly name: string;
  readonly version: string;
  /** ISO 8601. */
  readonly startedAt: string;
}

/** What is so on the node's host at the time of the question. */
export interface HostDescription {
  readonly addresses: readonly string[];
  /** `userspace`, `nftables`, `dsr`, `bgp`, `l2`. */
  readonly capabilities: readonly string[];
}

/** What a snapshot came to. */
export interface Applied {
  readonly revision: number;
  readonly problems: readonly Problem[];
}

/** How {@link NodeReport} works. */
export interface NodeReportOptions {
  readonly identity: NodeIdentity;
  readonly session: Pick<NodeSession, "publish">;
  readonly describe: () => HostDescription;
}

/** Puts together and publishes the node's record. Says nothing before something of the store has been applied. */
export class NodeReport {
  readonly #options: NodeReportOptions;
  #applied: Applied | undefined;
  #drain: NodeDrain | undefined;

  constructor(options: NodeReportOptions) {
    this.#options = options;
  }

  /** What has been applied, and all that does not work now. */
  applied(applied: Applied): void {
    this.#applied = applied;
    this.#publish();
  }

  /** How far the node is with leaving service; undefined: it is in service. */
  draining(drain: NodeDrain | undefined): void {
    this.#drain = drain;
    this.#publish();
  }

  #publish(): void {
    const { identity, session, describe } = this.#options;
    // Others would take a node that has applied nothing for one that is behind.
    if (this.#applied === undefined || this.#applied.revision === 0) return;
    const { revision: appliedRevision, problems } = this.#applied;
    const { addresses, capabilities } = describe();
    session.publish({
      ...identity,
      state: stateOf(this.#drain),
      addresses: [...addresses],
      capabilities: [...capabilities],
      appliedRevision,
      problems: problems as Node["problems"],
      ...(this.#drain !== undefined && { drain: this.#drain }),
    });
  }
}

/** DRAINED: nothing is left. */
export function stateOf(drain: NodeDrain | undefined): Node["state"] {
  if (drain === undefined) return "READY";
  return drain.vipsAnnounced === 0 && drain.connectionsActive === 0 ? "DRAINED" : "DRAINING";
}

/** Addresses by which a host is reached: no loopback, no link-local, none that is a VIP. IPv4 first. */
export function hostAddresses(
  interfaces: Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>,
  vips: ReadonlySet<string>,
): string[] {
  const all = Object.values(interfaces).flatMap((infos) => infos ?? []);
  const own = all.filter(
    ({ internal, address }) =>
      !internal && !address.startsWith("fe80:") && !address.startsWith("169.254.") && !vips.has(address),
  );
  return own.toSorted((a, b) => (a.family < b.family ? -1 : a.family > b.family ? 1 : 0)).map(({ address }) => address);
}
