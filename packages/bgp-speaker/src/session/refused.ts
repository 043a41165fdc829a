/** The daemon was reached, but is not to be used as it is. The message is the reason, as a clause. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
}
