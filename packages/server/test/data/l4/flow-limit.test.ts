import { expect, it } from "@jest/globals";

import { flowLimit } from "../../../src/data/l4/flow-limit.ts";

it.each([
  { openFiles: 1024, localPorts: 28_232, limit: 512 },
  { openFiles: 20_000, localPorts: 28_232, limit: 10_000 },
  { openFiles: 1_048_576, localPorts: 28_232, limit: 21_174 },
  { openFiles: 1_048_576, localPorts: 64_512, limit: 48_384 },
  { openFiles: undefined, localPorts: undefined, limit: 512 },
  { openFiles: 1, localPorts: 1, limit: 1 },
])("$openFiles files and $localPorts ports are enough for $limit flows", ({ limit, ...limits }) => {
  expect(flowLimit(limits)).toBe(limit);
});
