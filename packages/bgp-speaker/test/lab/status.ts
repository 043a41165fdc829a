import type { Speaker, SpeakerStatus } from "../../src/index.ts";

/** Waits until the speaker's status is so. */
export function untilStatus(speaker: Speaker, holds: (status: SpeakerStatus) => boolean): Promise<SpeakerStatus> {
  return new Promise((resolve) => {
    const look = (status: SpeakerStatus): void => {
      if (!holds(status)) return;
      stop();
      resolve(status);
    };
    const stop = speaker.onStatus(look);
    look(speaker.status());
  });
}

/** Waits until the daemon holds so many of our routes and is in use. */
export const untilHeld = (speaker: Speaker, held: number): Promise<SpeakerStatus> =>
  untilStatus(speaker, ({ daemon, routes }) => daemon.state === "ready" && routes.held === held);

/** Waits until the daemon is in use. */
export const untilReady = (speaker: Speaker): Promise<SpeakerStatus> =>
  untilStatus(speaker, ({ daemon }) => daemon.state === "ready");
