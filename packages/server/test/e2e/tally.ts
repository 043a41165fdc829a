import { whoServes } from "../data/tcp-peers.ts";
import type { Declared } from "./declare.ts";

/** Opens connections one after the other and counts who served them. */
export async function tally(
  { host, port }: Pick<Declared, "host" | "port">,
  connections: number,
  localAddress?: string,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < connections; i++) {
    const name = await whoServes(port, host, localAddress);
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
