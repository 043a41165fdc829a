import type { RunCommand } from "./command.ts";
import { type Change, declareTable, diff, NOTHING, transactionText } from "./diff.ts";
import { elementCount, EMPTY_FRAGMENT, type Fragment, isEmpty, TABLE, type TableName } from "./fragment.ts";
import { baseFragment, type BaseOptions, ownerComment, OWNER_SET, tableComment } from "./hooks.ts";
import { IDLE_SET } from "./idle-timeouts.ts";
import { type ListedElement, Nft, NftError } from "./nft.ts";
import { assumed, assumedBase, NOTHING_OBSERVED, type Observed, setsBeside, stale } from "./observed.ts";

/** What depends on the table: its name, and what is always in it. */
export interface TablePlan<Base> {
  readonly table: TableName;
  readonly base: (options: Base) => Fragment;
  /** Options of the largest base that an earlier process of the node may have left. */
  readonly largest: (options: Base) => Base;
}

const INET_PLAN: TablePlan<BaseOptions> = {
  table: TABLE,
  base: baseFragment,
  largest: ({ node }) => ({ node, forwards: true, guardRouting: { ipv4: false, ipv6: false } }),
};

/** What the table should hold. Fragments that are the same object as in the apply before are not looked at again. */
export interface DesiredTable<Base = BaseOptions> {
  readonly base: Base;
  /** By load balancer. */
  readonly fragments: ReadonlyMap<string, Fragment>;
}

/** What came of an apply. */
export interface TableReport {
  /** Why nothing at all could be done; the table is as it was. */
  readonly problem?: string;
  /** Why single load balancers could not be loaded, by id; they are in the table as they were before. */
  readonly refused: ReadonlyMap<string, string>;
}

/** How a driver works. */
export interface NftablesDriverOptions<Base> {
  /** Runs nft; see `command.ts`. */
  readonly run: RunCommand;
  /** Elements that are loaded in one go. nft takes about 2 KB of memory for each. Default 50,000. */
  readonly sliceElements?: number;
  readonly plan: TablePlan<Base>;
}

const SLICE_ELEMENTS = 50_000;

/** A table that is not made: the kernel is only asked. */
const TIMEOUT_PROBE = `add table inet fiberlb-probe
add ct timeout inet fiberlb-probe t { protocol tcp; l3proto ip; policy = { established: 60 }; }
add chain inet fiberlb-probe c
add rule inet fiberlb-probe c ct timeout set "t"
`;

/**
 * Keeps our table in the kernel as it should be: takes over what an earlier process left, loads in slices, then sends
 * differences. The table is replaced by nothing but transactions, so that no packet sees half of a change.
 */
export class TableDriver<Base extends { readonly node: string }> {
  readonly #nft: Nft;
  readonly #plan: TablePlan<Base>;
  readonly #sliceElements: number;
  /** What the kernel holds; undefined while it is not known. */
  #base: Fragment | undefined;
  readonly #held = new Map<string, Fragment>();
  #isKnown = false;
  /** Another process takes care of the table. */
  #isLeft = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor({ run, sliceElements = SLICE_ELEMENTS, plan }: NftablesDriverOptions<Base>) {
    this.#nft = new Nft(run, plan.table);
    this.#plan = plan;
    this.#sliceElements = sliceElements;
  }

  /** Makes the table hold exactly this. Applies run one after the other; without any fragment there is no table. */
  apply(desired: DesiredTable<Base>): Promise<TableReport> {
    return this.#after(() =>
      this.#isLeft ? Promise.resolve<TableReport>({ refused: new Map() }) : this.#applyNow(desired),
    );
  }

  /** Another process takes care of the table from when this resolves: applies do nothing. */
  leave(): Promise<void> {
    return this.#after(async () => void (this.#isLeft = true));
  }

  /** This process takes care of it again; what is in it is looked at afresh. */
  reclaim(): Promise<void> {
    return this.#after(async () => {
      this.#isLeft = false;
      this.#forget();
    });
  }

  /** What is in a set of the base now. @throws NftError */
  elements(kind: "set" | "map", name: string): Promise<ListedElement[]> {
    return this.#nft.elements(kind, name);
  }

  /** Has the kernel look at statements without carrying them out. @throws NftError when it would not take them */
  check(statements: string): Promise<void> {
    return this.#nft.check(statements);
  }

  /** Whether the table is in the kernel, as far as is known. */
  get isLoaded(): boolean {
    return this.#base !== undefined;
  }

  /** Whether the table that was loaded is gone: somebody flushed the ruleset. The next apply loads all of it. */
  isLost(): Promise<boolean> {
    return this.#after(async () => {
      if (this.#isLeft || !this.isLoaded || (await this.#nft.setComment(OWNER_SET)) !== undefined) return false;
      this.#forget();
      return true;
    });
  }

  #after<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #applyNow(desired: DesiredTable<Base>): Promise<TableReport> {
    try {
      return await this.#reconcile(desired);
    } catch (error) {
      if (!(error instanceof NftError)) throw error;
      // Whatever it was: what the kernel holds is looked at afresh next time.
      this.#forget();
      if (error.kind !== "not-found") return { problem: error.message, refused: new Map() };
    }
    // Somebody removed what we thought was there.
    try {
      return await this.#reconcile(desired);
    } catch (error) {
      if (!(error instanceof NftError)) throw error;
      this.#forget();
      return { problem: error.message, refused: new Map() };
    }
  }

  async #reconcile(desired: DesiredTable<Base>): Promise<TableReport> {
    const isWanted = [...desired.fragments.values()].some((fragment) => !isEmpty(fragment));
    if (!isWanted) return this.#clear(desired.base);
    const observed = this.#isKnown ? NOTHING_OBSERVED : await this.#observe(desired.base);
    const base = this.#plan.base(desired.base);
    const refused = await this.#load(base, { desired, observed });
    this.#isKnown = true;
    return { refused };
  }

  /** Without a right to look, or with a table of somebody else's, there is nothing of ours to remove. */
  async #clear(options: Base): Promise<TableReport> {
    if (!this.#isKnown) {
      const ours = await this.#observe(options).catch((error: unknown) => {
        if (error instanceof NftError) return undefined;
        throw error;
      });
      if (ours === undefined) return { refused: new Map() };
    }
    if (this.#base !== undefined) await this.#nft.load(`delete table ${this.#plan.table}\n`);
    this.#forget();
    this.#isKnown = true;
    return { refused: new Map() };
  }

  async #load(
    base: Fragment,
    { desired, observed }: { readonly desired: DesiredTable<Base>; readonly observed: Observed },
  ): Promise<ReadonlyMap<string, string>> {
    const { fragments } = desired;
    const { base: options } = desired;
    const refused = new Map<string, string>();
    const isNew = this.#base === undefined;
    // What of the base goes, goes when nothing refers to it any more.
    const { takeOut, drop, ...change } = this.#diff(this.#base, base);
    const declared = isNew ? [declareTable(tableComment(options.node), this.#plan.table)] : [];
    const first = [...declared, { ...NOTHING, ...change }];
    const before = (id: string): Fragment | undefined =>
      this.#held.get(id) ??
      (observed === NOTHING_OBSERVED ? undefined : assumed(fragments.get(id) ?? EMPTY_FRAGMENT, observed));
    const changed = [...fragments.keys()].filter((id) => this.#held.get(id) !== fragments.get(id));
    const gone = [...this.#held.keys()].filter((id) => !fragments.has(id));
    const removals = gone.map((id) => this.#diff(this.#held.get(id), undefined));
    let leading: readonly Change[] = [...first, ...removals];
    for (const slice of this.#slices(changed, fragments)) {
      await this.#loadSlice(slice, { leading, before, fragments, refused });
      if (leading.length > 0) this.#noteBase(base, gone);
      leading = [];
    }
    if (leading.length > 0) {
      await this.#commit(leading);
      this.#noteBase(base, gone);
    }
    // An endpoint may have gone from a later slice to an earlier one.
    const again = [...refused.keys()];
    refused.clear();
    for (const id of again) await this.#loadSlice([id], { leading: [], before, fragments, refused });
    if (observed !== NOTHING_OBSERVED) await this.#sweep(observed, { base, fragments: fragments.values() });
    await this.#commit([{ ...NOTHING, takeOut, drop }]);
    return refused;
  }

  #noteBase(base: Fragment, gone: readonly string[]): void {
    this.#base = base;
    for (const id of gone) this.#held.delete(id);
  }

  #slices(ids: readonly string[], fragments: ReadonlyMap<string, Fragment>): string[][] {
    const slices: string[][] = [];
    let room = 0;
    for (const id of ids) {
      const cost = elementCount(fragments.get(id) as Fragment);
      if (slices.length === 0 || cost > room) {
        slices.push([]);
        room = this.#sliceElements;
      }
      slices.at(-1)?.push(id);
      room -= cost;
    }
    return slices;
  }

  /** Loads some load balancers together. When the kernel refuses, halves of them, down to the one that it refuses. */
  async #loadSlice(ids: readonly string[], work: SliceWork): Promise<void> {
    const { leading, before, fragments, refused } = work;
    try {
      await this.#commit([...leading, ...ids.map((id) => this.#diff(before(id), fragments.get(id)))]);
      for (const id of ids) this.#held.set(id, fragments.get(id) as Fragment);
    } catch (error) {
      if (!(error instanceof NftError) || error.kind !== "refused") throw error;
      if (leading.length > 0) await this.#commit(leading);
      if (ids.length === 1) {
        refused.set(ids[0] as string, error.message);
        return;
      }
      const middle = ids.length >> 1;
      await this.#loadSlice(ids.slice(0, middle), { ...work, leading: [] });
      await this.#loadSlice(ids.slice(middle), { ...work, leading: [] });
    }
  }

  async #commit(changes: readonly Change[]): Promise<void> {
    const text = transactionText(changes);
    if (text !== "") await this.#nft.load(text);
  }

  /** Looks whether there is a table, whose it is, and what is in it. @throws NftError */
  async #observe(options: Base): Promise<Observed> {
    const { node } = options;
    const owner = await this.#nft.setComment(OWNER_SET);
    if (owner === ownerComment(node)) return this.#observeOurs(options);
    const comment = await this.#nft.tableComment();
    if (comment === undefined) return NOTHING_OBSERVED;
    if (comment !== tableComment(node)) throw foreignTable(this.#plan.table, comment);
    await this.#nft.load(`delete table ${this.#plan.table}\n`);
    return NOTHING_OBSERVED;
  }

  async #observeOurs(options: Base): Promise<Observed> {
    const base = this.#plan.base(this.#plan.largest(options));
    const elements = new Map<string, ReadonlyMap<string, string>>();
    for (const [name, { kind }] of base.sets) {
      const listed = await this.#nft.elements(kind === "map" ? "map" : "set", name);
      elements.set(name, new Map(listed.map(({ key, data }) => [key, data])));
    }
    const chains = new Set(await this.#nft.chains());
    const there = { ...base, chains: new Map([...base.chains].filter(([name]) => chains.has(name))) };
    this.#base = assumedBase(there, elements.get(IDLE_SET)?.keys() ?? []);
    // What of the base must go is seen by its difference.
    elements.delete(IDLE_SET);
    return { chains: new Set([...chains].filter((name) => !base.chains.has(name))), elements };
  }

  /** Removes what an earlier process left and nobody wants. */
  async #sweep(
    observed: Observed,
    wanted: { readonly base: Fragment; readonly fragments: Iterable<Fragment> },
  ): Promise<void> {
    const fragments = [...wanted.fragments];
    const left = stale(observed, { base: wanted.base, fragments });
    const kept = new Set(fragments.flatMap(({ sets }) => [...sets.keys()]));
    const change = this.#diff(left, undefined);
    const candidates = [...observed.chains].flatMap(setsBeside).filter(({ name }) => !kept.has(name));
    const drop = [...change.drop];
    for (const { kind, name } of candidates) {
      if (kind === "map" || (await this.#nft.hasSet(name))) drop.push(`delete ${kind} ${this.#plan.table} ${name}`);
    }
    await this.#commit([{ ...change, drop }]);
  }

  #diff(before: Fragment | undefined, after: Fragment | undefined): Change {
    return diff(before, after, { table: this.#plan.table });
  }

  #forget(): void {
    this.#base = undefined;
    this.#held.clear();
    this.#isKnown = false;
  }
}

/** The driver of `inet fiberlb`. */
export class NftablesDriver extends TableDriver<BaseOptions> {
  constructor(options: Omit<NftablesDriverOptions<BaseOptions>, "plan">) {
    super({ ...options, plan: INET_PLAN });
  }

  /** Removes the table, if it is ours. */
  remove(node: string): Promise<TableReport> {
    const base = { node, forwards: false, guardRouting: { ipv4: false, ipv6: false } };
    return this.apply({ base, fragments: new Map() });
  }

  /**
   * Whether connections can be given timeouts of their own: a kernel may be built without them. Undefined while the kernel
   * cannot be asked.
   */
  async canSetTimeouts(): Promise<boolean | undefined> {
    try {
      await this.check(TIMEOUT_PROBE);
      return true;
    } catch (error) {
      if (!(error instanceof NftError)) throw error;
      return error.kind === "missing" || error.kind === "permission" ? undefined : false;
    }
  }
}

interface SliceWork {
  /** Goes before the slice, in the same transaction. */
  readonly leading: readonly Change[];
  readonly before: (id: string) => Fragment | undefined;
  readonly fragments: ReadonlyMap<string, Fragment>;
  /** Takes the reason of each that was refused. */
  readonly refused: Map<string, string>;
}

function foreignTable(table: TableName, comment: string): NftError {
  const whose = comment === "" ? "which is not FiberLB's" : `which says "${comment}"`;
  return new NftError(
    "refused",
    `there is a table ${table} already, ${whose}; it was left alone. If nobody needs it: nft delete table ${table}`,
  );
}
