/** A route that is not valid. The message names it and says what would be. */
export class RouteError extends TypeError {
  override readonly name = "RouteError";
}

/** The daemon does not have what was asked for now. The message says why. */
export class SpeakerError extends Error {
  override readonly name = "SpeakerError";
}
