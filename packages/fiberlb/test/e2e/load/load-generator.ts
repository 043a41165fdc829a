// Clients that move data through listeners, in a process of their own so that they do not slow down what they measure.
// argv: JSON of a Job. Prints a Report as its only line, when all of it is done.
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { crc32 } from "node:zlib";

/** What is to be moved. */
export interface Job {
  readonly targets: readonly { readonly host: string; readonly port: number }[];
  /** Connections at any time, spread evenly over the targets. */
  readonly clients: number;
  /** To be received back over all targets and clients; the same goes out. */
  readonly totalBytes: number;
}

/** What became of it. */
export interface Report {
  readonly transfers: number;
  readonly bytes: number;
  /** Why transfers broke, each with how often. */
  readonly broken: Readonly<Record<string, number>>;
  readonly seconds: number;
}

const SHORTEST = 16 * 1024;
const LONGEST = 1024 * 1024;
/** Every transfer is a stretch of this, from a place of its own. */
const SOURCE = randomBytes(2 * LONGEST);

type Target = Job["targets"][number];

/** Sends bytes, ends, and resolves when the same bytes and the end have come back. */
function transfer(target: Target, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    let received = 0;
    let checksum = 0;
    const socket = connect({ ...target, allowHalfOpen: true });
    socket.on("data", (part: Buffer) => {
      received += part.length;
      checksum = crc32(part, checksum);
    });
    socket.on("error", reject);
    socket.on("end", () => {
      if (received !== bytes.length) reject(new Error("cut short"));
      else if (checksum !== crc32(bytes)) reject(new Error("wrong bytes"));
      else resolve();
    });
    socket.end(bytes);
  });
}

async function run({ targets, clients, totalBytes }: Job): Promise<Report> {
  const startedAt = performance.now();
  const broken: Record<string, number> = {};
  let transfers = 0;
  let claimed = 0;
  const client = async (index: number): Promise<void> => {
    for (let turn = index; claimed < totalBytes; turn += 7) {
      const length = SHORTEST + ((turn * 104_729) % (LONGEST - SHORTEST));
      const offset = (turn * 31) % LONGEST;
      claimed += length;
      transfers += 1;
      await transfer(targets[index % targets.length]!, SOURCE.subarray(offset, offset + length)).catch(
        (error: NodeJS.ErrnoException) => {
          const reason = error.code ?? error.message;
          broken[reason] = (broken[reason] ?? 0) + 1;
        },
      );
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, index) => client(index)));
  return { transfers, bytes: claimed, broken, seconds: (performance.now() - startedAt) / 1000 };
}

console.log(JSON.stringify(await run(JSON.parse(process.argv[2]!) as Job)));
