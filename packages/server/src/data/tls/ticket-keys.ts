import { createHash, hkdfSync } from "node:crypto";

/**
 * How long one key seals tickets. A client that comes back later makes a full handshake, which is why it is long; who
 * learns a key reads what was said under it (TLS 1.2), which is why it is not longer.
 */
export const TICKET_EPOCH_MS = 12 * 60 * 60 * 1000;

/** What a ticket is good for. A difference anywhere makes other keys, and a ticket sealed with those is not opened. */
export interface TicketScope {
  readonly listenerId: string;
  readonly clientAuth: "NONE" | "OPTIONAL" | "REQUIRED";
  /** What certificates of clients are verified with, PEM. */
  readonly clientCaPem: string | undefined;
  /** See {@link ticketEpoch}. */
  readonly epoch: number;
}

/** What a listener seals its session tickets with. */
export interface TicketKeys {
  /** 48 bytes: name, HMAC key and AES key, as `tls.createSecureContext` takes them. */
  readonly ticketKeys: Buffer;
  /** 32 characters: OpenSSL resumes no session of another context, wherever the session comes from. */
  readonly sessionIdContext: string;
}

const SECRET_BYTES = 32;
const TICKET_KEY_BYTES = 48;
const CONTEXT_BYTES = 16;
const PEM_BLOCK = /-----BEGIN [^-]+-----([^-]*)-----END [^-]+-----/g;

/** The number of the key that is in use at a time; every worker and node with the right time agrees. */
export function ticketEpoch(epochMs: number): number {
  return Math.floor(epochMs / TICKET_EPOCH_MS);
}

/**
 * Derives the keys of a scope (HKDF-SHA256, RFC 5869), so that all workers and nodes open each other's tickets.
 * @param secret the cluster's, at least 32 bytes.
 * @throws RangeError when the secret is shorter.
 */
export function deriveTicketKeys(secret: Uint8Array, scope: TicketScope): TicketKeys {
  if (secret.length < SECRET_BYTES) {
    throw new RangeError(`Cannot derive ticket keys: the secret has ${secret.length} bytes, not ${SECRET_BYTES}`);
  }
  const { listenerId, clientAuth, clientCaPem, epoch } = scope;
  const info = JSON.stringify(["fiberlb tickets 1", listenerId, clientAuth, fingerprint(clientCaPem), epoch]);
  const derived = Buffer.from(hkdfSync("sha256", secret, "", info, TICKET_KEY_BYTES + CONTEXT_BYTES));
  return {
    ticketKeys: derived.subarray(0, TICKET_KEY_BYTES),
    sessionIdContext: derived.toString("hex", TICKET_KEY_BYTES),
  };
}

/** Of the certificates themselves: blanks and comments around them change nothing. */
function fingerprint(pem: string | undefined): string {
  const hash = createHash("sha256");
  for (const [, base64] of (pem ?? "").matchAll(PEM_BLOCK)) {
    const der = Buffer.from(base64!, "base64");
    hash.update(`${der.length}:`).update(der);
  }
  return hash.digest("hex");
}
