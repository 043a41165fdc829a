import { describe } from "@jest/globals";

import { backendsContract } from "./contract/backends.ts";
import { bytesContract } from "./contract/bytes.ts";
import { duplexContract } from "./contract/duplex.ts";
import { endingContract } from "./contract/ending.ts";
import { handshakeContract } from "./contract/handshake.ts";
import { interleavingContract } from "./contract/interleaving.ts";
import { openingContract } from "./contract/opening.ts";
import { proxiedContract } from "./contract/proxied.ts";
import { resumptionContract } from "./contract/resumption.ts";
import type { CreateTransport } from "./contract/rig.ts";

/** What `l4/` and `l7/` rely on. Every engine passes it whole; call it from the engine's own test file. */
export function transportContract(engine: string, create: CreateTransport): void {
  describe(`${engine}: opening`, () => {
    openingContract(create);
  });
  describe(`${engine}: proxies`, () => {
    proxiedContract(create);
  });
  describe.each(["cleartext", "TLS"] as const)(`${engine}, %s: bytes`, (wire) => {
    bytesContract(create, wire);
  });
  describe.each(["cleartext", "TLS"] as const)(`${engine}, %s: ending`, (wire) => {
    endingContract(create, wire);
  });
  describe.each(["cleartext", "TLS"] as const)(`${engine}, %s: interleaving`, (wire) => {
    interleavingContract(create, wire);
  });
  describe(`${engine}: handshakes`, () => {
    handshakeContract(create);
  });
  describe(`${engine}: session tickets`, () => {
    resumptionContract(create);
  });
  describe(`${engine}: servers`, () => {
    backendsContract(create);
  });
  describe(`${engine}: streams of Node`, () => {
    duplexContract(create);
  });
}
