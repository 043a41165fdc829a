import { readFileSync, statSync } from "node:fs";

import { corrupt } from "./sqlite-error.ts";

/** https://sqlite.org/fileformat2.html#walformat; big-endian but for the words that checksums run over. */
const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const MAGIC_LITTLE_ENDIAN = 0x37_7f_06_82;
const MAGIC_BIG_ENDIAN = 0x37_7f_06_83;

type Checksum = readonly [number, number];

/**
 * Looks for damage inside the -wal file. SQLite reads it up to the first frame with a wrong checksum, taking that for
 * the end of a write that a crash cut off, and so would drop all transactions after a damaged one without a word.
 *
 * Every commit is synced before the next one is written. So a crash leaves at most one commit after the first wrong
 * frame; more of them, or a wrong header, are damage. That the very last commit was damaged cannot be told.
 */
export function checkLog(path: string): void {
  const logPath = `${path}-wal`;
  if ((statSync(logPath, { throwIfNoEntry: false })?.size ?? 0) <= HEADER_BYTES) return;
  const log = readFileSync(logPath);
  // A file that was lengthened, but not written, before the power failed.
  if (log.subarray(0, HEADER_BYTES).every((byte) => byte === 0)) return;
  const littleEndian = log.readUInt32BE(0) === MAGIC_LITTLE_ENDIAN;
  const start = checksum(log.subarray(0, 24), littleEndian, [0, 0]);
  if ((!littleEndian && log.readUInt32BE(0) !== MAGIC_BIG_ENDIAN) || !matches(start, log, 24)) {
    throw corrupt(path, "the header of its -wal file");
  }
  const lost = commitsAfterDamage(log, littleEndian, start);
  if (lost > 1) throw corrupt(path, `its -wal file is damaged before ${lost} transactions`);
}

/** How many commits of this generation follow the first frame that is not as it was written. */
function commitsAfterDamage(log: Buffer, littleEndian: boolean, start: Checksum): number {
  const frameBytes = FRAME_HEADER_BYTES + log.readUInt32BE(8);
  const salts = log.subarray(16, 24);
  let running = start;
  let sound = true;
  let commits = 0;
  for (let at = HEADER_BYTES; at + frameBytes <= log.length; at += frameBytes) {
    // Frames with other salts are left from before the last checkpoint.
    const current = log.subarray(at + 8, at + 16).equals(salts);
    if (sound && current) {
      running = checksum(log.subarray(at, at + 8), littleEndian, running);
      running = checksum(log.subarray(at + FRAME_HEADER_BYTES, at + frameBytes), littleEndian, running);
    }
    sound &&= current && matches(running, log, at + 16);
    const endsCommit = log.readUInt32BE(at + 4) !== 0;
    if (!sound && current && endsCommit) commits++;
  }
  return commits;
}

function matches([first, second]: Checksum, log: Buffer, at: number): boolean {
  return log.readUInt32BE(at) === first && log.readUInt32BE(at + 4) === second;
}

function checksum(bytes: Buffer, littleEndian: boolean, [first, second]: Checksum): Checksum {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let [a, b] = [first, second];
  for (let at = 0; at < bytes.length; at += 8) {
    a = (a + words.getUint32(at, littleEndian) + b) >>> 0;
    b = (b + words.getUint32(at + 4, littleEndian) + a) >>> 0;
  }
  return [a, b];
}
