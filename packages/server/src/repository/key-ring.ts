/** Keeps secrets unreadable at rest. */
export interface KeyRing {
  /** Encrypts. `context` says what the secret belongs to; it is authenticated, so that a value cannot be moved elsewhere. */
  seal(secret: string, context: string): string;
  /** @throws Error when the value was sealed with another key, for another context, or was changed. */
  open(sealed: string, context: string): string;
}
