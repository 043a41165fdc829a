import { SpeakerError } from "./errors.ts";
import type { Speaker, SpeakerOptions } from "./speaker.ts";

/** Starts a speaker, which connects by itself and reconnects for as long as it is not closed. */
export function createSpeaker({ gobgp }: SpeakerOptions): Speaker {
  const reason = `Cannot reach GoBGP at ${gobgp}: not built yet`;
  return {
    announce: () => Promise.reject(new SpeakerError(reason)),
    status: () => ({ daemon: { state: "connecting", reason }, peers: [], routes: { desired: 0, held: 0 } }),
    onStatus: () => () => undefined,
    close: () => Promise.resolve(),
  };
}
