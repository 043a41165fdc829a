/** Keeps secrets unreadable at rest. */
export interface KeyRing {
  /** Encrypts. `context` says what the secret belongs to; it is authenticated, so that a value cannot be moved elsewhere. */
  seal(secret: string, context: string): string;
  /** @throws SealedSecretError when the value was sealed with another key, for another context, or was changed. */
  open(sealed: string, context: string): string;
}

/** A sealed secret that cannot be opened. */
export class SealedSecretError extends Error {
  override readonly name = "SealedSecretError";
  /** Why, without what it belongs to: `it was changed, …`. */
  readonly reason: string;

  constructor(context: string, reason: string, options?: ErrorOptions) {
    super(`Cannot open a secret of ${context}: ${reason}`, options);
    this.reason = reason;
  }
}
