import type { Announcements } from "../announcements.ts";
import type { GobgpApi } from "../gobgp/api.ts";
import { isRefusal, wordsOf } from "../gobgp/fault.ts";
import type { RouteChanges } from "../routes/diff.ts";
import type { Path } from "../routes/path.ts";
import type { RouteBook } from "../routes/route-book.ts";
import { CALL_TIMEOUT_MS } from "./timing.ts";

/** Paths in one call: few enough that a withdrawal, which waits for the call before it, waits a few milliseconds. */
const PATHS_PER_CALL = 128;

/** A listing may take longer: routes of others are in the table, too. */
const LISTING_TIMEOUT_MS = 30_000;

/** What a route keeper works on, and whom it tells. */
export interface RouteKeeperOptions {
  readonly api: GobgpApi;
  readonly book: RouteBook;
  readonly announcements: Announcements;
  /** After every change of the book. */
  readonly onChange: () => void;
  readonly onRefused: (path: Path, reason: string) => void;
}

/** Makes the daemon's routes those of the book. Every call on the daemon takes from the newest desired set. */
export class RouteKeeper {
  readonly #options: RouteKeeperOptions;
  #applying: Promise<void> | undefined;

  constructor(options: RouteKeeperOptions) {
    this.#options = options;
  }

  /** Asks what the daemon holds, and corrects it. */
  async reconcile(): Promise<void> {
    const { api, book, onChange } = this.#options;
    book.beginListing();
    book.endListing(await api.listPaths({ timeoutMs: LISTING_TIMEOUT_MS }));
    onChange();
    await this.apply();
  }

  /** Does what the book says is left to do; ends when that is nothing, also when more came in meanwhile. */
  apply(): Promise<void> {
    this.#applying ??= this.#applyAll();
    return this.#applying;
  }

  async #applyAll(): Promise<void> {
    const { book, announcements, onChange } = this.#options;
    await Promise.resolve(); // `#applying` is set first
    try {
      for (let changes = book.next(PATHS_PER_CALL); changes !== undefined; changes = book.next(PATHS_PER_CALL)) {
        await this.#send(changes);
        onChange();
      }
    } finally {
      this.#applying = undefined; // in the same turn as the last look into the book
    }
    if (book.isKnown) announcements.settle({ desired: book.desiredCount, refused: book.refused });
  }

  async #send(changes: RouteChanges): Promise<void> {
    try {
      await this.#options.api.apply(changes, { timeoutMs: CALL_TIMEOUT_MS });
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // One of them is not to the daemon's taste: the others must not suffer.
      for (const one of singly(changes)) await this.#sendOne(one);
      return;
    }
    this.#applied(changes);
  }

  async #sendOne(change: RouteChanges): Promise<void> {
    try {
      await this.#options.api.apply(change, { timeoutMs: CALL_TIMEOUT_MS });
    } catch (error) {
      const [path] = change.add;
      if (!isRefusal(error) || path === undefined) throw error;
      this.#options.book.refuse({ path, reason: wordsOf(error) });
      this.#options.onRefused(path, wordsOf(error));
      return;
    }
    this.#applied(change);
  }

  #applied(changes: RouteChanges): void {
    this.#options.book.applied(changes);
    this.#options.announcements.record(changes);
  }
}

const singly = ({ withdraw, add }: RouteChanges): RouteChanges[] => [
  ...withdraw.map((path) => ({ withdraw: [path], add: [] })),
  ...add.map((path) => ({ withdraw: [], add: [path] })),
];
