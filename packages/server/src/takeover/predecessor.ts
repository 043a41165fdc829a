import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Channel, FromPredecessor, FromSuccessor, Inheritance } from "./messages.ts";

/** How long a successor may take until it is ready; thousands of listeners and a large store take it some time. */
export const READY_DEADLINE_MS = 120_000;

/** What a process that is taken over from does, step by step. */
export interface Estate {
  /** Lets go of store and ports; traffic goes on. */
  release(): Promise<Inheritance>;
  /** The successor is ready: frees its place at the control socket. After this there is no way back. */
  leave(): Promise<void>;
  /** The successor has failed: opens store and ports again. Tries until it has worked. */
  takeBack(): Promise<void>;
}

/** How {@link handOver} works. */
export interface HandOverOptions {
  readonly estate: Estate;
  readonly clock: Clock;
  readonly log: Log;
}

/** Hands over to the process at the other end of the channel. @returns whether that process has it all now */
export async function handOver(
  channel: Channel<FromSuccessor, FromPredecessor>,
  { estate, clock, log }: HandOverOptions,
): Promise<boolean> {
  log.info("another process takes over; traffic goes on here until it is ready");
  const problem = await offer(channel, { estate, clock, log });
  if (problem === undefined) return true;
  log.warn("the process that was to take over did not; this one goes on", { reason: problem });
  channel.close();
  await estate.takeBack();
  return false;
}

/** Why the successor did not take over. */
async function offer(
  channel: Channel<FromSuccessor, FromPredecessor>,
  { estate, clock, log }: HandOverOptions,
): Promise<string | undefined> {
  try {
    channel.send({ kind: "released", inheritance: await estate.release() });
  } catch (error) {
    log.error("store and ports could not be let go of", { error });
    const reason = "the running process could not let go of its store and ports; its log says why";
    channel.send({ kind: "revoked", reason });
    return reason;
  }
  const answer = await withinDeadline(channel, clock);
  if (answer === undefined) return "it ended without a word";
  if (answer.kind === "failed") return answer.reason;
  await estate.leave();
  channel.send({ kind: "yours" });
  channel.close();
  return undefined;
}

async function withinDeadline(
  channel: Channel<FromSuccessor, FromPredecessor>,
  clock: Clock,
): Promise<FromSuccessor | undefined> {
  const reason = `it was not ready after ${READY_DEADLINE_MS / 1000} s`;
  const late = Promise.withResolvers<FromSuccessor>();
  const cancel = clock.after(READY_DEADLINE_MS, () => late.resolve({ kind: "failed", reason }));
  const answer = await Promise.race([channel.receive(), late.promise]);
  cancel();
  if (answer?.kind === "failed" && answer.reason === reason) channel.send({ kind: "revoked", reason });
  return answer;
}
