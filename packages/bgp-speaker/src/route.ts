/** One route to announce: usually a VIP as a host route (/32 or /128). */
export interface Route {
  /** A network without host bits: `203.0.113.10/32`, `2001:db8::/48`. */
  readonly prefix: string;
  /** Of the same family as `prefix`. `0.0.0.0` (IPv4 only) is the daemon's own address on each session. */
  readonly nextHop: string;
  /** RFC 1997, as `asn:value`; 65535:0 is GRACEFUL_SHUTDOWN (RFC 8326). */
  readonly communities?: readonly string[];
  /** RFC 8092, as `global:local1:local2`. */
  readonly largeCommunities?: readonly string[];
  /** LOCAL_PREF, 0 to 2^32 - 1, more is better; only iBGP peers see it. */
  readonly localPreference?: number;
  /** MULTI_EXIT_DISC, 0 to 2^32 - 1, less is better. */
  readonly med?: number;
}
