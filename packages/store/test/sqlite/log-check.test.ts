import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

import { beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { openSqliteStore, prefixRange, verifySqliteFile } from "../../src/index.ts";
import { Child } from "./child-process.ts";
import { useTemporaryDirectory } from "./temporary-directory.ts";

const HEADER_BYTES = 32;
const FRAME_BYTES = 24 + 4096;

describe("the log of a store whose process was killed", () => {
  const freshPath = useTemporaryDirectory();
  let killed = "";
  let log = Buffer.alloc(0);
  let acknowledged: string[] = [];

  beforeAll(async () => {
    killed = freshPath();
    const child = new Child("storm", killed, "0");
    await child.said(300);
    await child.kill();
    log = readFileSync(`${killed}-wal`);
    acknowledged = child.lines.filter((line) => line.startsWith("ack ")).map((line) => `${line.slice(4)}/0`);
  });

  /** The killed store with another log. */
  const withLog = (content: Uint8Array): string => {
    const path = freshPath();
    mkdirSync(dirname(path), { recursive: true });
    copyFileSync(killed, path);
    writeFileSync(`${path}-wal`, content);
    return path;
  };

  const keysOf = async (path: string): Promise<Set<string>> => {
    const store = await openSqliteStore({ path });
    try {
      return new Set((await store.range(prefixRange("storm/"))).kvs.map(({ key }) => key));
    } finally {
      await store.close();
    }
  };

  test("is read whole when it is sound", async () => {
    const keys = await keysOf(withLog(log));
    expect(acknowledged.filter((key) => !keys.has(key))).toEqual([]);
  });

  test("may end anywhere: a crash cut it off", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(log.length), (length) => verifySqliteFile(withLog(log.subarray(0, length)))),
      { numRuns: 20 },
    );
  });

  test("with a byte flipped is refused, and left as it is, where transactions after it would be lost", async () => {
    const lastCommits = commitFrames(log).slice(-2);
    const flip = fc.record({
      at: fc.nat(lastCommits[0]! - 1),
      mask: fc.integer({ min: 1, max: 255 }),
    });
    await fc.assert(
      fc.asyncProperty(flip, async ({ at, mask }) => {
        const damaged = Buffer.from(log);
        damaged[at]! ^= mask;
        const path = withLog(damaged);
        const refusal = { code: "CORRUPT", message: expect.stringContaining("-wal file") };
        await expect(openSqliteStore({ path })).rejects.toMatchObject(refusal);
        expect(readFileSync(`${path}-wal`).equals(damaged)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  test("that was lengthened but never written holds nothing", async () => {
    await verifySqliteFile(withLog(new Uint8Array(HEADER_BYTES + FRAME_BYTES)));
  });
});

/** Offsets of the frames that end a commit. */
function commitFrames(log: Buffer): number[] {
  const offsets: number[] = [];
  for (let at = HEADER_BYTES; at + FRAME_BYTES <= log.length; at += FRAME_BYTES) {
    if (log.readUInt32BE(at + 4) !== 0 && log.subarray(at + 8, at + 16).equals(log.subarray(16, 24))) offsets.push(at);
  }
  return offsets;
}
