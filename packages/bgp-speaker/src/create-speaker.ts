import { systemClock } from "./clock.ts";
import { GobgpSpeaker } from "./gobgp-speaker.ts";
import { identifierOf } from "./gobgp/ownership.ts";
import { parseTarget } from "./gobgp/target.ts";
import { checkManaged } from "./peers/check-managed.ts";
import { systemRandom } from "./random.ts";
import type { Speaker, SpeakerOptions } from "./speaker.ts";

/**
 * Starts a speaker. It connects by itself, waits for a daemon that is not there, and reconnects until it is closed.
 * @throws TypeError when an option is not valid
 */
export function createSpeaker(options: SpeakerOptions): Speaker {
  const { gobgp, tls, manage, owner = "fiberlb" } = options;
  const target = parseTarget(gobgp);
  if (tls !== undefined && target.kind !== "https") {
    throw new TypeError(`Cannot create a speaker: tls is given, but ${gobgp} is not an https URL`);
  }
  return new GobgpSpeaker({
    target,
    name: gobgp,
    tls,
    wanted: manage === undefined ? undefined : checkManaged(manage),
    identifier: identifierOf(owner),
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
    logger: options.logger ?? SILENT,
  });
}

const SILENT = { info: () => undefined, warn: () => undefined };
