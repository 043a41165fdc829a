import { describe } from "@jest/globals";

import { boundSocketContract } from "./contract/bound-socket.ts";
import type { CreateDatagrams } from "./contract/datagram-rig.ts";
import { peerSocketContract } from "./contract/peer-socket.ts";

/** What `l4/` relies on. Every engine passes it whole; call it from the engine's own test file. */
export function datagramContract(engine: string, create: CreateDatagrams): void {
  describe(`${engine}: a bound socket`, () => {
    boundSocketContract(create);
  });
  describe(`${engine}: a peer socket`, () => {
    peerSocketContract(create);
  });
}
