/**
 * The public types of FiberLB's BGP speaker. The speaker itself arrives with clustering; until then this package holds
 * what the rest of FiberLB and embedders write their code against, and nothing that pretends to work.
 */
import type { Cidr, IpAddress } from "@fiberlb/types";

/** One route to announce: usually a VIP as a host route (/32 or /128). */
export interface Route {
  readonly prefix: Cidr;
  /** Of the same family as `prefix`. */
  readonly nextHop: IpAddress;
  /** RFC 1997, as `asn:value`; 65535:0 is GRACEFUL_SHUTDOWN (RFC 8326). */
  readonly communities?: readonly string[];
  /** RFC 8092, as `global:local1:local2`. */
  readonly largeCommunities?: readonly string[];
  /** LOCAL_PREF; only iBGP peers see it. */
  readonly localPreference?: number;
  /** MULTI_EXIT_DISC. */
  readonly med?: number;
}

/** What came of an announcement. */
export interface AnnounceReport {
  readonly added: readonly Route[];
  readonly withdrawn: readonly Route[];
  readonly unchanged: number;
}

/** Announces a desired set of routes through a BGP daemon. */
export interface Speaker {
  /** Makes exactly these the routes that the daemon announces for us; the empty set withdraws all. */
  announce(routes: readonly Route[]): Promise<AnnounceReport>;
  close(): Promise<void>;
}
