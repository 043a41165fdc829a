import { createClient, type Transport } from "@connectrpc/connect";

import {
  GobgpApi,
  type Path,
  type Peer,
  TableType,
  WatchEventRequest_Table_Filter_Type as FilterType,
} from "../../gen/gobgp/v3/gobgp_pb.ts";
import { decodePeer, encodePeer } from "../peer.ts";
import { once, type Wire } from "../wire.ts";
import { decodePath, encodePath, encodeWithdrawal, prefixOf } from "./path.ts";

const tableType = TableType.GLOBAL;

/** GoBGP 3.x: service `apipb.GobgpApi`. */
export function wireV3(transport: Transport): Wire<Path, Peer> {
  const client = createClient(GobgpApi, transport);
  const filters = [{ type: FilterType.BEST }];
  return {
    generation: 3,
    getBgp: (limits) => client.getBgp({}, limits),
    startBgp: ({ asn, routerId, listenPort, listenAddresses }, limits) =>
      client.startBgp({ global: { asn, routerId, listenPort, listenAddresses: [...listenAddresses] } }, limits),
    watchEvent: () => client.watchEvent({ peer: {}, table: { filters } }),
    listPath: (family, limits) => client.listPath({ tableType, family }, limits),
    addPathStream: (paths, limits) => client.addPathStream(once({ tableType, paths }), limits),
    listPeer: (limits) => client.listPeer({ enableAdvertised: true }, limits),
    addPeer: (peer, limits) => client.addPeer({ peer: encodePeer(peer) }, limits),
    deletePeer: (address, limits) => client.deletePeer({ address }, limits),
    encodePath,
    encodeWithdrawal,
    decodePath,
    prefixOf,
    decodePeer: (peer) => decodePeer(peer),
  };
}
