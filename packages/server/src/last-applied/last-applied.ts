/**
 * Keeps what this node applied last on its own disk, so that it forwards after a restart while the store is away.
 */
import type { Certificate } from "@fiberlb/types";

import type { Cancel, Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import { certificateIdsOf } from "../snapshot/compile-tls.ts";
import type { UnitSource } from "../snapshot/compile.ts";
import type { Published } from "../snapshot/publisher.ts";
import { decodeNode, decodeTree, encodeNode, encodeTree, NO_KNOWLEDGE, type SavedNode } from "./format.ts";
import type { SavedContents, SavedFiles } from "./saved-files.ts";

/** How {@link LastApplied} works. */
export interface LastAppliedOptions {
  readonly files: SavedFiles;
  readonly clock: Clock;
  readonly log: Log;
}

/** What else is to be kept, asked for when something is written. */
export interface LastAppliedSources {
  /** As it is in the store, its key sealed; undefined when it is not at hand. */
  readonly certificate: (id: string) => Certificate | undefined;
  readonly node: () => SavedNode;
}

/** What was applied last. */
export interface SavedConfiguration {
  readonly trees: readonly UnitSource[];
  /** By id. */
  readonly certificates: ReadonlyMap<string, Certificate>;
  readonly node: SavedNode;
  /** When the last of it was written, in milliseconds since 1970. */
  readonly savedAtMs: number;
}

/** Changes that come in one go are written in one go. */
const GATHER_MS = 1_000;
const RETRY_MS = 30_000;
/** No load balancer's id. */
const NODE_FILE = "node";

/** Writes what changed, a file a load balancer, behind the back of whoever forwards. */
export class LastApplied {
  readonly #options: LastAppliedOptions;
  #sources: LastAppliedSources | undefined;
  /** Load balancers to be written; undefined: to be removed. */
  readonly #waiting = new Map<string, UnitSource | undefined>();
  /** All that there were when the store told first: files of others are left over from before this process. */
  #complete: ReadonlySet<string> | undefined;
  #isTidy = false;
  /** Something was applied that has not been written. */
  #isDue = false;
  #timer: Cancel | undefined;
  #writing: Promise<void> | undefined;
  #lastFailure = "";
  #stopped = false;

  constructor(options: LastAppliedOptions) {
    this.#options = options;
  }

  /** Tells where the rest comes from; before {@link note}. */
  use(sources: LastAppliedSources): void {
    this.#sources = sources;
  }

  /** Takes over what was applied; written soon. */
  note({ snapshot, trees, touched }: Pick<Published, "snapshot" | "trees" | "touched">): void {
    for (const id of touched) this.#waiting.set(id, trees.get(id));
    // What comes from these very files has no revision of the store.
    if (snapshot.revision > 0) this.#complete ??= new Set(trees.keys());
    this.touch();
  }

  /** What this node knows besides load balancers has changed; written soon. */
  touch(): void {
    this.#isDue = true;
    this.#later(GATHER_MS);
  }

  /**
   * What was applied before this process; what is damaged is left out, with a line in the log. Never rejects.
   * @returns undefined when nothing was ever applied
   */
  async load(): Promise<SavedConfiguration | undefined> {
    const { files, log } = this.#options;
    const read = await files.readAll().catch((error: Error): SavedContents => {
      return { contents: new Map(), damaged: [{ file: "(folder)", reason: error.message }], newestMs: 0 };
    });
    const damaged = [...read.damaged];
    let node = NO_KNOWLEDGE;
    const trees: UnitSource[] = [];
    const certificates = new Map<string, Certificate>();
    for (const [name, content] of read.contents) {
      try {
        if (name === NODE_FILE) node = decodeNode(content);
        else {
          const saved = decodeTree(content);
          trees.push(saved.tree);
          for (const certificate of saved.certificates) certificates.set(certificate.id, certificate);
        }
      } catch (error) {
        damaged.push({ file: name, reason: (error as Error).message });
      }
    }
    for (const fields of damaged) log.error("a part of what was applied last cannot be used", { ...fields });
    if (read.newestMs === 0) return undefined;
    return { trees, certificates, node, savedAtMs: read.newestMs };
  }

  /** Writes what waits, and nothing after that. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.();
    await this.#writing;
    if (this.#isDue) await this.#write();
  }

  #later(delayMs: number): void {
    if (this.#stopped || this.#timer !== undefined) return;
    this.#timer = this.#options.clock.after(delayMs, () => {
      this.#writing = this.#write().finally(() => {
        this.#timer = undefined;
        if (this.#isDue) this.#later(this.#lastFailure === "" ? GATHER_MS : RETRY_MS);
      });
    });
  }

  async #write(): Promise<void> {
    this.#isDue = false;
    const failures = await this.#writeAll().catch((error: Error) => [error.message]);
    this.#isDue ||= failures.length > 0;
    this.#tell(failures);
  }

  /** Removals first: an address that moved must not belong to two. */
  async #writeAll(): Promise<readonly string[]> {
    const { files } = this.#options;
    const batch = [...this.#waiting];
    await this.#removeLeftOver();
    for (const [id, tree] of batch.filter(([, one]) => one === undefined)) {
      await files.remove(id);
      if (this.#waiting.get(id) === tree) this.#waiting.delete(id);
    }
    const failures: string[] = [];
    for (const [id, tree] of batch) {
      if (tree === undefined) continue;
      // One that is as it was costs no I/O: thousands of those must not hold up the thread.
      await new Promise((resolve) => setImmediate(resolve));
      const failure = await this.#save(id, tree);
      if (failure !== undefined) failures.push(failure);
      if (failure === undefined && this.#waiting.get(id) === tree) this.#waiting.delete(id);
    }
    await files.write(NODE_FILE, encodeNode(this.#sources?.node() ?? NO_KNOWLEDGE));
    return failures;
  }

  async #save(id: string, tree: UnitSource): Promise<string | undefined> {
    const certificates = [...certificateIdsOf(tree)].flatMap((one) => this.#sources?.certificate(one) ?? []);
    try {
      await this.#options.files.write(id, encodeTree({ tree, certificates }));
      return undefined;
    } catch (error) {
      return `load balancer ${tree.loadBalancer.name}: ${(error as Error).message}`;
    }
  }

  async #removeLeftOver(): Promise<void> {
    const complete = this.#complete;
    if (complete === undefined || this.#isTidy) return;
    const { files } = this.#options;
    for (const name of await files.names())
      if (name !== NODE_FILE && !complete.has(name) && !this.#waiting.has(name)) await files.remove(name);
    this.#isTidy = true;
  }

  #tell(failures: readonly string[]): void {
    const [first = ""] = failures;
    const { log } = this.#options;
    if (first !== "" && first !== this.#lastFailure)
      log.error("what was applied last cannot be kept on disk; without the store a restart would forward less", {
        reason: first,
        failures: failures.length,
      });
    if (first === "" && this.#lastFailure !== "") log.info("what was applied last is kept on disk again");
    this.#lastFailure = first;
  }
}
