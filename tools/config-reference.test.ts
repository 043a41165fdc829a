import { expect, test } from "@jest/globals";

import { committedPage, configurationPage } from "./config-reference.ts";

test("docs/configuration.md shows the schema; if not: node --conditions=@fiberlb/source tools/config-reference.ts", () => {
  expect(committedPage()).toBe(configurationPage());
});
