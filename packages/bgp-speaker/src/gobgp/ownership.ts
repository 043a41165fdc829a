import { createHash } from "node:crypto";

/**
 * The mark of an owner's paths: their path identifier (RFC 7911), which the daemon keeps apart from other programs' paths of the
 * same prefix and gives back in listings, and which no router sees. 0 is what programs use that set none.
 */
export function identifierOf(owner: string): number {
  const identifier = createHash("sha256").update(`fiberlb-bgp-speaker ${owner}`).digest().readUInt32BE();
  return identifier === 0 ? 1 : identifier;
}

/** What of a listed path says whose it is. */
interface Origin {
  readonly neighborIp: string;
  readonly identifier: number;
}

/** 3.x writes "<nil>" where no peer is, 4.x nothing; "invalid IP" is how Go prints no address. */
const NO_PEER: ReadonlySet<string> = new Set(["", "<nil>", "invalid IP"]);

/** Whether we put it there: not learned from a peer, and with our mark. */
export const isOurs = ({ neighborIp, identifier }: Origin, own: number): boolean =>
  identifier === own && NO_PEER.has(neighborIp);
