import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll } from "@jest/globals";

/** A directory for the tests of the surrounding block; answers a fresh path in it at each call. */
export function useTemporaryDirectory(): (name?: string) => string {
  let directory = "";
  let count = 0;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "fiberlb-store-"));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  return (name = "store.db") => join(directory, String(++count), name);
}
