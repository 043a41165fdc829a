// Run as a process of its own by the tests: `child.ts hold FILE` or `child.ts storm FILE ROUND`.
import { writeSync } from "node:fs";

import { absent, openSqliteStore, put } from "../../src/index.ts";

/** Keys that each transaction of the storm writes. */
const KEYS_PER_TXN = 3;
/** Transactions under way at once. */
const CONCURRENCY = 16;

const [command = "", path = "", round = ""] = process.argv.slice(2);

/** Past every buffer of this process: what was said survives kill -9. */
function say(line: string): void {
  let rest = Buffer.from(`${line}\n`);
  while (rest.length > 0) rest = rest.subarray(writeSome(rest));
}

/** Bytes that the pipe took; none while its reader is slower than we are, because Node's pipes do not block. */
function writeSome(bytes: Buffer): number {
  try {
    return writeSync(1, bytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return 0;
    throw error;
  }
}

say("starting");
const store = await openSqliteStore({ path });
say("open");
if (command === "hold") setInterval(() => {}, 60_000);
else {
  let last = 0;
  const client = async (): Promise<void> => {
    for (;;) {
      const name = `storm/${round}-${++last}`;
      const keys = Array.from({ length: KEYS_PER_TXN }, (_, index) => `${name}/${index}`);
      const value = new TextEncoder().encode(name.repeat(20));
      await store.txn({ compare: [absent(keys[0]!)], success: keys.map((key) => put(key, value)) });
      say(`ack ${name}`);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, client));
}
