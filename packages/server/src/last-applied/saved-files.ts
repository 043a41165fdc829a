import { createHash } from "node:crypto";
import type { Stats } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";

/** A file that cannot be used, and why. */
export interface DamagedFile {
  readonly file: string;
  readonly reason: string;
}

/** What a folder holds. */
export interface SavedContents {
  /** By name. */
  readonly contents: ReadonlyMap<string, Buffer>;
  readonly damaged: readonly DamagedFile[];
  /** When the newest of them was written, in milliseconds since 1970; 0: there is none. */
  readonly newestMs: number;
}

/** `<name>.<digest of the content>`; anything else in the folder is none of ours, or was never finished. */
const FILE_NAME = /^(?<name>[0-9a-z-]+)\.(?<digest>[0-9a-f]{32})$/;
const UNFINISHED = /\.unfinished$/;
/** A load balancer with 50,000 backends has less. */
export const MAX_FILE_BYTES = 64 * 1024 * 1024;

/**
 * Named contents in a folder, a file each. The file's name holds the content's digest: so one that is damaged is seen, and
 * what is there already is not written again. A crash in the middle leaves the old content or the new one.
 */
export class SavedFiles {
  readonly #folder: string;
  /** Digest by name. */
  #digests: Map<string, string> | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Names that have a content. @throws the system's error */
  async names(): Promise<ReadonlySet<string>> {
    return new Set((await this.#known()).keys());
  }

  /** Does nothing when the content is there already. @returns whether it was written. @throws the system's error, RangeError */
  async write(name: string, content: Buffer): Promise<boolean> {
    if (content.length > MAX_FILE_BYTES)
      throw new RangeError(`it takes ${content.length} bytes, more than the ${MAX_FILE_BYTES} that are kept of one`);
    const known = await this.#known();
    const before = known.get(name);
    const digest = digestOf(content);
    if (before === digest) return false;
    const path = this.#path(name, digest);
    await writeDurably(`${path}.unfinished`, content);
    await rename(`${path}.unfinished`, path);
    known.set(name, digest);
    if (before !== undefined) await rm(this.#path(name, before), { force: true });
    return true;
  }

  /** @throws the system's error */
  async remove(name: string): Promise<void> {
    const known = await this.#known();
    const digest = known.get(name);
    if (digest === undefined) return;
    await rm(this.#path(name, digest), { force: true });
    known.delete(name);
  }

  /** @throws the system's error when the folder cannot be read */
  async readAll(): Promise<SavedContents> {
    const contents = new Map<string, Buffer>();
    const damaged: DamagedFile[] = [];
    let newestMs = 0;
    for (const [name, digest] of await this.#known()) {
      const path = this.#path(name, digest);
      const read = await readChecked(path, digest);
      if (!read.ok) {
        damaged.push({ file: path, reason: read.reason });
        continue;
      }
      contents.set(name, read.content);
      newestMs = Math.max(newestMs, read.writtenMs);
    }
    return { contents, damaged, newestMs };
  }

  async #known(): Promise<Map<string, string>> {
    return (this.#digests ??= await this.#look());
  }

  async #look(): Promise<Map<string, string>> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const digests = new Map<string, string>();
    for (const file of await readdir(this.#folder)) {
      if (UNFINISHED.test(file)) await rm(join(this.#folder, file), { force: true });
      const { name, digest } = FILE_NAME.exec(file)?.groups ?? {};
      if (name === undefined || digest === undefined) continue;
      const other = digests.get(name);
      digests.set(name, other === undefined ? digest : await this.#newerOf(name, [other, digest]));
    }
    return digests;
  }

  /** A crash between two steps has left both. */
  async #newerOf(name: string, [a, b]: readonly [string, string]): Promise<string> {
    const [atMs, btMs] = await Promise.all([a, b].map(async (digest) => (await this.#stat(name, digest)).mtimeMs));
    const [newer, older] = (atMs ?? 0) > (btMs ?? 0) ? [a, b] : [b, a];
    await rm(this.#path(name, older), { force: true });
    return newer;
  }

  #stat(name: string, digest: string): Promise<Stats> {
    return stat(this.#path(name, digest));
  }

  #path(name: string, digest: string): string {
    return join(this.#folder, `${name}.${digest}`);
  }
}

const digestOf = (content: Buffer): string => createHash("sha256").update(content).digest("hex").slice(0, 32);

/** On the disk when it resolves: power may fail at any time. */
async function writeDurably(path: string, content: Buffer): Promise<void> {
  const file = await open(path, "w", 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

type Read =
  | { readonly ok: true; readonly content: Buffer; readonly writtenMs: number }
  | { readonly ok: false; readonly reason: string };

async function readChecked(path: string, digest: string): Promise<Read> {
  try {
    const { size, mtimeMs } = await stat(path);
    if (size > MAX_FILE_BYTES) return { ok: false, reason: `it has ${size} bytes, more than ${MAX_FILE_BYTES}` };
    const content = await readFile(path);
    if (digestOf(content) !== digest) return { ok: false, reason: "its content is not what was written" };
    return { ok: true, content, writtenMs: mtimeMs };
  } catch (error) {
    return { ok: false, reason: (error as Error).message };
  }
}
