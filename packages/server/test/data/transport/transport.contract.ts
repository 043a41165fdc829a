import { describe } from "@jest/globals";

import { bytesContract } from "./contract/bytes.ts";
import { endingContract } from "./contract/ending.ts";
import { openingContract } from "./contract/opening.ts";
import type { CreateTransport } from "./contract/rig.ts";

/** What `l4/` and `l7/` rely on. Every engine passes it whole; call it from the engine's own test file. */
export function transportContract(engine: string, create: CreateTransport): void {
  describe(`${engine}: opening`, () => {
    openingContract(create);
  });
  describe(`${engine}: bytes`, () => {
    bytesContract(create);
  });
  describe(`${engine}: ending`, () => {
    endingContract(create);
  });
}
