import type { Transport } from "@connectrpc/connect";

import type { CallLimits, GobgpApi } from "./api.ts";
import { createApi } from "./create-api.ts";
import { isOtherGeneration } from "./fault.ts";
import { wireV3 } from "./v3/wire.ts";
import { wireV4 } from "./v4/wire.ts";

/**
 * Finds out which API the daemon has, by asking.
 * @throws ConnectError Unimplemented when it has neither
 */
export async function findApi(transport: Transport, identifier: number, limits: CallLimits): Promise<GobgpApi> {
  const newer = createApi(wireV4(transport), identifier);
  try {
    await newer.getBgp(limits);
    return newer;
  } catch (error) {
    if (!isOtherGeneration(error)) throw error;
  }
  const older = createApi(wireV3(transport), identifier);
  await older.getBgp(limits);
  return older;
}
