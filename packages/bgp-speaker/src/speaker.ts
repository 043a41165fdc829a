import type { Clock } from "./clock.ts";
import type { SpeakerLogger } from "./logger.ts";
import type { ManagedBgp } from "./peer.ts";
import type { Random } from "./random.ts";
import type { Route } from "./route.ts";
import type { SpeakerStatus } from "./status.ts";

/** Key material in PEM form, for a daemon behind `https://`. */
export interface SpeakerTls {
  /** Authorities that the daemon's certificate must come from; the system's when absent. */
  readonly ca?: string;
  /** Our own certificate and key, for mutual TLS (GoBGP 4.8 and newer ask for it). */
  readonly cert?: string;
  readonly key?: string;
}

/** Where the daemon is and what is to be made of it. */
export interface SpeakerOptions {
  /** GoBGP's API: `unix:///run/gobgp.sock`, or `http://` or `https://` with host and port. */
  readonly gobgp: string;
  readonly tls?: SpeakerTls;
  /** Sets the daemon up and keeps it so. Absent: a configured daemon is expected, and only our routes are touched. */
  readonly manage?: ManagedBgp;
  /**
   * Whose routes these are: speakers of one daemon with different names never touch each other's, and one that is started
   * again under the same name finds what it left. Default `fiberlb`.
   */
  readonly owner?: string;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: SpeakerLogger;
}

/** What came of an announcement. */
export interface AnnounceReport {
  /** New, or with changed attributes. */
  readonly added: readonly Route[];
  readonly withdrawn: readonly Route[];
  readonly unchanged: number;
}

/** Announces a desired set of routes through a BGP daemon, and keeps it there. */
export interface Speaker {
  /**
   * Makes exactly these the routes that the daemon announces for us; the empty set withdraws all. The set is recorded at once,
   * also while the daemon can't be reached, and the latest one rules. Resolves when the daemon holds it, or a later one. Before
   * the first call nothing is withdrawn: routes that an earlier process left behind stay until it is known what should be.
   * @throws RouteError when a route is not valid; nothing is changed
   * @throws SpeakerError when the daemon does not have the set now; the speaker goes on trying
   */
  announce(routes: readonly Route[]): Promise<AnnounceReport>;
  /** As of now. */
  status(): SpeakerStatus;
  /** Calls the listener after every change. @returns a function that ends it */
  onStatus(listener: (status: SpeakerStatus) => void): () => void;
  /** Ends the connection. Routes stay in the daemon: announce the empty set before to withdraw them. */
  close(): Promise<void>;
}
