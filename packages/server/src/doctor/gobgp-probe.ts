import { createSpeaker } from "@fiberlb/bgp-speaker";

import { daemonOf } from "../announce/daemon.ts";
import type { Clock } from "../clock.ts";
import type { BgpConfig } from "../config/bgp-schema.ts";
import type { GobgpFact } from "./facts.ts";

const DEADLINE_MS = 3000;

/** Asks the daemon who it is; changes nothing of it. */
export async function probeGobgp(bgp: BgpConfig | undefined, clock: Clock): Promise<GobgpFact | undefined> {
  if (bgp === undefined) return undefined;
  const address = bgp.gobgp;
  try {
    const speaker = createSpeaker(daemonOf(bgp));
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = clock.after(DEADLINE_MS, resolve);
    speaker.onStatus(({ daemon }) => {
      if (daemon.generation !== undefined || daemon.reason !== "") resolve();
    });
    await promise;
    cancel();
    const { daemon } = speaker.status();
    await speaker.close();
    const problem = daemon.generation === undefined ? daemon.reason || "it does not answer" : "";
    return { address, generation: daemon.generation, asn: daemon.asn, problem };
  } catch (error) {
    return { address, generation: undefined, asn: undefined, problem: (error as Error).message };
  }
}
