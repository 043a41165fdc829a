import type { BgpGlobal, CallLimits, GobgpApi } from "../gobgp/api.ts";
import { isRefusal, wordsOf } from "../gobgp/fault.ts";
import { RefusedError } from "./refused.ts";

/**
 * Sees to it that BGP runs in the daemon, as wanted when that is given.
 * @returns how it runs
 * @throws RefusedError when it runs otherwise, or would not start
 */
export async function prepareDaemon(
  api: GobgpApi,
  wanted: BgpGlobal | undefined,
  limits: CallLimits,
): Promise<BgpGlobal> {
  const found = await api.getBgp(limits);
  // Never start what is started: without a listening port that is accepted, and empties the whole table.
  if (found.asn === 0) return start(api, wanted, limits);
  if (wanted !== undefined && !isSame(found, wanted)) {
    const [is, should] = [found, wanted].map(({ asn, routerId }) => `AS ${asn} with router id ${routerId}`);
    throw new RefusedError(
      `it runs as ${is}, not as ${should}: correct manage, or restart gobgpd without a configuration`,
    );
  }
  return found;
}

/** Whether both are the same speaker to its peers. */
export const isSame = (a: BgpGlobal, b: BgpGlobal): boolean => a.asn === b.asn && a.routerId === b.routerId;

async function start(api: GobgpApi, wanted: BgpGlobal | undefined, limits: CallLimits): Promise<BgpGlobal> {
  if (wanted === undefined) {
    throw new RefusedError("BGP has not been started in it: configure gobgpd, or let the speaker do it with manage");
  }
  try {
    await api.startBgp(wanted, limits);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    throw new RefusedError(`it did not start BGP: ${wordsOf(error)}${hint(error, wanted)}`);
  }
  return api.getBgp(limits);
}

const hint = (error: unknown, { listenPort }: BgpGlobal): string =>
  /permission denied/.test(wordsOf(error))
    ? `; port ${listenPort} needs CAP_NET_BIND_SERVICE, listenPort -1 needs nothing and lets only us connect`
    : "";
