import { IdGenerator } from "@fiberlb/types";

import type { Clock } from "../clock.ts";

/** Makes ids whose order is the order of creation. */
export const createIds = (clock: Clock, fillRandom: (bytes: Uint8Array<ArrayBuffer>) => void): IdGenerator =>
  new IdGenerator({ nowMs: () => Math.floor(clock.epochMs()), fillRandom });

/** When a UUIDv7 was made (RFC 9562 §5.7), ISO 8601. Taken as createdAt, so that (createdAt, id) and id order alike. */
export function timeOfId(id: string): string {
  return new Date(Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16)).toISOString();
}
