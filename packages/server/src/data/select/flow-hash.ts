import { FlowHash, xxHash32 } from "@fiberlb/maglev";

import type { MaglevUnit } from "../../snapshot/snapshot.ts";
import type { Flow } from "./selector.ts";

/** 32-bit hash of what a flow is known by. */
export type HashOfFlow = (flow: Flow) => number;

/** The kernel's jhash of the client's address: all connections of a client have the same. */
export function sourceHash(seed: number): HashOfFlow {
  const hash = new FlowHash({ seed });
  return ({ clientAddress }) => (clientAddress === GONE ? 0 : hash.source(clientAddress));
}

/** The kernel's jhash of both addresses and ports. */
export function fiveTupleHash(seed: number): HashOfFlow {
  const hash = new FlowHash({ seed });
  return ({ clientAddress, clientPort, vip, vipPort }) =>
    clientAddress === GONE
      ? 0
      : hash.fiveTuple({
          sourceAddress: clientAddress,
          sourcePort: clientPort,
          destinationAddress: vip,
          destinationPort: vipPort,
        });
}

/** What a Maglev pool hashes. */
export function maglevHash({ hashKey, seed }: MaglevUnit): HashOfFlow {
  if (hashKey === "SOURCE_IP") return sourceHash(seed);
  return hashKey === "FIVE_TUPLE" ? fiveTupleHash(seed) : textHash(seed);
}

/** Of what a request says of itself; one that says nothing goes by its connection. */
function textHash(seed: number): HashOfFlow {
  const ofConnection = fiveTupleHash(seed);
  return (flow) => (flow.hashText === undefined ? ofConnection(flow) : xxHash32(flow.hashText, seed));
}

/** The address of a client that hung up before it was asked for. */
const GONE = "";
