import { parseCidr } from "@fiberlb/types";

import type { Path } from "../routes/path.ts";
import type { BgpGlobal, CallLimits, GobgpApi, GobgpEvent } from "./api.ts";
import { families, type Family } from "./families.ts";
import { isOurs } from "./ownership.ts";
import type { Wire, WireEvent, WirePathHead } from "./wire.ts";

const NOT_STARTED: BgpGlobal = { asn: 0, routerId: "", listenPort: 0, listenAddresses: [] };

/** The speaker's view of a daemon, in which only the owner's paths exist. */
export function createApi<WirePath extends WirePathHead, WirePeer>(
  wire: Wire<WirePath, WirePeer>,
  identifier: number,
): GobgpApi {
  return {
    generation: wire.generation,
    getBgp: async (limits) => (await wire.getBgp(limits)).global ?? NOT_STARTED,
    startBgp: async (global, limits) => void (await wire.startBgp(global, limits)),
    watch: () => watch(wire, identifier),
    async listPaths(limits) {
      const lists = families.map((family) => listFamily(wire, { family, identifier, limits }));
      return (await Promise.all(lists)).flat();
    },
    async apply({ withdraw, add }, limits) {
      const gone = withdraw.map((path) => wire.encodeWithdrawal(path, identifier));
      const paths = add.map((path) => wire.encodePath(path, identifier));
      await wire.addPathStream([...gone, ...paths], limits);
    },
    async listPeers(limits) {
      const listed = await Array.fromAsync(wire.listPeer(limits));
      return listed.flatMap(({ peer }) => (peer === undefined ? [] : [wire.decodePeer(peer)]));
    },
    addPeer: async (peer, limits) => void (await wire.addPeer(peer, limits)),
    deletePeer: async (address, limits) => void (await wire.deletePeer(address, limits)),
  };
}

interface Listing {
  readonly family: Family;
  readonly identifier: number;
  readonly limits: CallLimits;
}

async function listFamily<WirePath extends WirePathHead, WirePeer>(
  wire: Wire<WirePath, WirePeer>,
  { family, identifier, limits }: Listing,
): Promise<Path[]> {
  const found: Path[] = [];
  for await (const { destination } of wire.listPath(family, limits)) {
    for (const listed of destination?.paths ?? []) {
      // Looked at before it is decoded: the table may hold a million routes of others.
      const path = isOurs(listed, identifier) ? wire.decodePath(destination?.prefix ?? "", listed) : undefined;
      if (path !== undefined) found.push(path);
    }
  }
  return found;
}

async function* watch<WirePath extends WirePathHead, WirePeer>(
  wire: Wire<WirePath, WirePeer>,
  identifier: number,
): AsyncIterable<GobgpEvent> {
  for await (const { event } of wire.watchEvent()) {
    if (event.case === "peer") yield* peerEvents(event.value.type);
    else if (event.case === "table") yield* withdrawals(wire, identifier, event.value);
  }
}

/** Numbers of PeerEvent.Type, the same in both generations. */
const END_OF_INIT = 2;
const STATE = 3;

function* peerEvents(type: number): Iterable<GobgpEvent> {
  if (type === END_OF_INIT) yield { kind: "ready" };
  if (type === STATE) yield { kind: "peer" };
}

type TableEvent<WirePath> = Extract<WireEvent<WirePath>["event"], { readonly case: "table" }>["value"];

function* withdrawals<WirePath extends WirePathHead, WirePeer>(
  wire: Wire<WirePath, WirePeer>,
  identifier: number,
  { paths }: TableEvent<WirePath>,
): Iterable<GobgpEvent> {
  for (const path of paths) {
    if (!path.isWithdraw || !isOurs(path, identifier)) continue;
    const prefix = parseCidr(wire.prefixOf(path));
    if (prefix.ok) yield { kind: "withdrawn", prefix: prefix.value };
  }
}
