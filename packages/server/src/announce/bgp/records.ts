import type { SpeakerStatus } from "@fiberlb/bgp-speaker";
import type { IpAddress } from "@fiberlb/types";

import type { Cancel, Clock } from "../../clock.ts";
import type { AnnounceRecord, BgpRecord, SessionRecord } from "../../repository/announce-records.ts";
import { announceKey, bgpKey } from "../../repository/keys.ts";
import type { NodeSession } from "../../repository/node-session.ts";
import type { BgpAnnouncement } from "./announcer.ts";

/** How {@link BgpRecords} works. */
export interface BgpRecordsOptions {
  readonly node: string;
  readonly session: Pick<NodeSession, "setRecord" | "removeRecord">;
  readonly clock: Clock;
}

/** What there is to say now. */
export interface BgpState {
  readonly announcements: readonly BgpAnnouncement[];
  readonly status: SpeakerStatus;
  readonly localAsn: number;
}

/** A change seldom comes alone. */
const GATHER_MS = 50;

/** Tells the other nodes, and the API, what this node announces and with whom it speaks. Writes differences only. */
export class BgpRecords {
  readonly #options: BgpRecordsOptions;
  /** What was said last, by key. */
  readonly #said = new Map<string, string>();
  #state: (() => BgpState) | undefined;
  #timer: Cancel | undefined;

  constructor(options: BgpRecordsOptions) {
    this.#options = options;
  }

  /** Something may have changed; `state` is asked a moment later. */
  update(state: () => BgpState): void {
    this.#state = state;
    this.#timer ??= this.#options.clock.after(GATHER_MS, () => this.#tell());
  }

  stop(): void {
    this.#timer?.();
  }

  #tell(): void {
    this.#timer = undefined;
    const { node, session } = this.#options;
    const { announcements, status, localAsn } = (this.#state as () => BgpState)();
    const records = new Map<string, object>([[bgpKey(node), bgpRecord(node, status, localAsn)]]);
    for (const one of announcements) records.set(announceKey({ vip: one.vip as IpAddress, node }), record(node, one));
    for (const key of this.#said.keys()) {
      if (records.has(key)) continue;
      this.#said.delete(key);
      session.removeRecord(key);
    }
    for (const [key, value] of records) {
      const text = JSON.stringify(value);
      if (this.#said.get(key) === text) continue;
      this.#said.set(key, text);
      session.setRecord(key, value);
    }
  }
}

const record = (node: string, one: BgpAnnouncement): AnnounceRecord => ({ node, ...one });

function bgpRecord(node: string, { daemon, peers }: SpeakerStatus, localAsn: number): BgpRecord {
  const problem =
    daemon.state === "ready" ? "" : daemon.reason === "" ? "GoBGP has not been reached so far" : daemon.reason;
  return { node, localAsn: daemon.asn ?? localAsn, problem, sessions: peers.map(sessionRecord) };
}

function sessionRecord(peer: SpeakerStatus["peers"][number]): SessionRecord {
  const { address, asn, state, establishedAt, advertised, problem = "", lastError = "" } = peer;
  return {
    peer: address,
    peerAsn: asn,
    state,
    ...(establishedAt !== undefined && { establishedAt: establishedAt.toISOString() }),
    routesAdvertised: advertised,
    problem: problem === "" && state !== "ESTABLISHED" ? lastError : problem,
  };
}
