import { describe, expect, test } from "@jest/globals";

import { openSqliteStore, prefixRange, verifySqliteFile } from "../../src/index.ts";
import { Child } from "./child-process.ts";
import { useTemporaryDirectory } from "./temporary-directory.ts";

const KILLS = 20;

describe("kill -9 during a storm of writes", () => {
  const freshPath = useTemporaryDirectory();

  test(`${KILLS} times: each acknowledged transaction is there, none is there by half`, async () => {
    const path = freshPath();
    const acknowledged = new Set<string>();
    for (let round = 0; round < KILLS; round++) {
      const child = new Child("storm", path, String(round));
      // Some die while they create or recover the file, most after a different number of writes each.
      await child.said(round % 5 === 0 ? 1 : 2 + round * 17);
      await child.kill();
      for (const line of child.lines) if (line.startsWith("ack ")) acknowledged.add(line.slice(4));
      if (round > 0) expect(await missingOrHalf(path, acknowledged)).toEqual({ missing: [], half: [] });
    }
    expect(acknowledged.size).toBeGreaterThan(1000);
    await verifySqliteFile(path);
  }, 180_000);
});

async function missingOrHalf(path: string, acknowledged: ReadonlySet<string>) {
  const store = await openSqliteStore({ path });
  try {
    const { kvs } = await store.range({ ...prefixRange("storm/"), keysOnly: true });
    const parts = new Map<string, number>();
    for (const { key } of kvs) {
      const name = key.slice(0, key.lastIndexOf("/"));
      parts.set(name, (parts.get(name) ?? 0) + 1);
    }
    return {
      missing: [...acknowledged].filter((name) => !parts.has(name)),
      half: [...parts].filter(([, count]) => count !== 3),
    };
  } finally {
    await store.close();
  }
}
