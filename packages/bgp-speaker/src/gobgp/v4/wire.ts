import { createClient, type Transport } from "@connectrpc/connect";

import {
  GoBgpService,
  type Path,
  type Peer,
  TableType,
  WatchEventRequest_Table_Filter_Type as FilterType,
} from "../../gen/gobgp/v4/gobgp_pb.ts";
import { once, type Wire } from "../wire.ts";
import { decodePath, encodePath, encodeWithdrawal, prefixOf } from "./path.ts";
import { decodePeer, encodePeer } from "./peer.ts";

const tableType = TableType.GLOBAL;

/** GoBGP 4.x: service `api.GoBgpService`. */
export function wireV4(transport: Transport): Wire<Path, Peer> {
  const client = createClient(GoBgpService, transport);
  const filters = [{ type: FilterType.BEST }];
  return {
    generation: 4,
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
    decodePeer,
  };
}
