/**
 * What it takes to make one fragment of another: the smallest transaction. Pure.
 *
 * Within a transaction the kernel carries out one statement after the other and shows the result at once when all of it
 * worked. So the order is: make what is new, take out elements, put in elements, write rules, drop what nobody refers to
 * any more.
 */
import {
  type ChainModel,
  EMPTY_FRAGMENT,
  type Fragment,
  isSlotted,
  type Keyed,
  type SetModel,
  type Slotted,
  TABLE,
  type TableName,
} from "./fragment.ts";

/** Statements of `nft -f`, by the step of the transaction that they belong to. */
export interface Change {
  readonly make: readonly string[];
  readonly takeOut: readonly string[];
  readonly putIn: readonly string[];
  readonly write: readonly string[];
  readonly drop: readonly string[];
}

const STEPS = ["make", "takeOut", "putIn", "write", "drop"] as const;

/** The text of a transaction: all changes together, step by step. Empty when nothing changes. */
export function transactionText(changes: readonly Change[]): string {
  return STEPS.flatMap((step) => changes.flatMap((change) => change[step]))
    .map((statement) => `${statement}\n`)
    .join("");
}

/** Declares the table; does nothing where it is. */
export function declareTable(comment: string, table: TableName = TABLE): Change {
  return { ...NOTHING, make: [`add table ${table} { comment "${comment}"; }`] };
}

/** Changes nothing. */
export const NOTHING: Change = { make: [], takeOut: [], putIn: [], write: [], drop: [] };

/** From one state of a part to another; undefined: the part is not there. */
export function diff(
  before: Fragment = EMPTY_FRAGMENT,
  after: Fragment = EMPTY_FRAGMENT,
  { table = TABLE }: { readonly table?: TableName } = {},
): Change {
  const change = {
    table,
    make: [] as string[],
    takeOut: [] as string[],
    putIn: [] as string[],
    write: [] as string[],
    drop: [] as string[],
  };
  if (before === after) return change;
  diffElements(before, after, change);
  for (const [name, set] of after.sets) diffSet(name, { before: before.sets.get(name), after: set }, change);
  for (const [name, chain] of after.chains) diffChain(name, { before: before.chains.get(name), after: chain }, change);
  const [lostChains, lostSets] = [lost(before.chains, after.chains), lost(before.sets, after.sets)];
  // Chains may jump to each other: first they are emptied, then they go.
  change.drop.push(
    ...lostChains.map((name) => `flush chain ${table} ${name}`),
    ...lostChains.map((name) => `delete chain ${table} ${name}`),
    ...lostSets.map((name) => `delete ${before.sets.get(name)?.kind} ${table} ${name}`),
  );
  return change;
}

interface Draft {
  readonly table: TableName;
  readonly make: string[];
  readonly takeOut: string[];
  readonly putIn: string[];
  readonly write: string[];
}

const lost = (before: ReadonlyMap<string, unknown>, after: ReadonlyMap<string, unknown>): string[] =>
  [...before.keys()].filter((name) => !after.has(name));

/** What the fragments put into sets that are not their own. */
function diffElements(before: Fragment, after: Fragment, change: Draft): void {
  for (const name of new Set([...before.elements.keys(), ...after.elements.keys()])) {
    diffKeyed(name, { before: before.elements.get(name), after: after.elements.get(name) ?? new Map() }, change);
  }
}

function diffSet(
  name: string,
  { before, after }: { readonly before: SetModel | undefined; readonly after: SetModel },
  change: Draft,
): void {
  const { table } = change;
  // Adding what is there already does nothing.
  if (before?.elements === undefined) change.make.push(`add ${after.kind} ${table} ${name} { ${after.declaration} }`);
  if (before?.elements === after.elements || after.elements === undefined || after.isFilledByPackets === true) return;
  if (before !== undefined && before.elements === undefined)
    change.takeOut.push(`flush ${after.kind} ${table} ${name}`);
  if (!isSlotted(after.elements)) {
    const known = before?.elements;
    diffKeyed(
      name,
      { before: known === undefined || isSlotted(known) ? undefined : known, after: after.elements },
      change,
    );
    return;
  }
  const known = before?.elements;
  diffSlotted(
    name,
    { before: known !== undefined && isSlotted(known) ? known : undefined, after: after.elements },
    change,
  );
}

function diffKeyed(
  name: string,
  { before = new Map(), after }: { readonly before?: Keyed | undefined; readonly after: Keyed },
  { table, takeOut, putIn }: Draft,
): void {
  if (before === after) return;
  const gone = [...before].filter(([key, data]) => after.get(key) !== data).map(([key]) => key);
  const come = [...after].filter(([key, data]) => before.get(key) !== data);
  if (gone.length > 0) takeOut.push(elementStatement(`delete element ${table} ${name}`, gone));
  if (come.length > 0)
    putIn.push(
      elementStatement(
        `add element ${table} ${name}`,
        come.map(([key, data]) => (data === "" ? key : `${key} : ${data}`)),
      ),
    );
}

function diffSlotted(
  name: string,
  { before = { slots: [], targets: [] }, after }: { readonly before?: Slotted | undefined; readonly after: Slotted },
  { table, takeOut, putIn }: Draft,
): void {
  const gone: number[] = [];
  const come: string[] = [];
  const slots = Math.max(before.slots.length, after.slots.length);
  for (let slot = 0; slot < slots; slot++) {
    const was = targetAt(before, slot);
    const is = targetAt(after, slot);
    if (was === is) continue;
    if (was !== undefined) gone.push(slot);
    if (is !== undefined) come.push(`${slot} : ${is}`);
  }
  if (gone.length > 0) takeOut.push(elementStatement(`delete element ${table} ${name}`, gone));
  if (come.length > 0) putIn.push(elementStatement(`add element ${table} ${name}`, come));
}

function targetAt({ slots, targets }: Slotted, slot: number): string | undefined {
  return slot < slots.length ? targets[slots[slot] as number] : undefined;
}

const elementStatement = (verb: string, elements: readonly (string | number)[]): string =>
  `${verb} { ${elements.join(", ")} }`;

/** A chain's rules are few, and written anew together. */
function diffChain(
  name: string,
  { before, after }: { readonly before: ChainModel | undefined; readonly after: ChainModel },
  change: Draft,
): void {
  const { table } = change;
  if (before?.rules === undefined) {
    const hook = after.hook === undefined ? "" : ` { ${after.hook} }`;
    change.make.push(`add chain ${table} ${name}${hook}`);
  }
  const rules = after.rules ?? [];
  if (before?.rules?.length === rules.length && before.rules.every((rule, index) => rule === rules[index])) return;
  if (before !== undefined) change.write.push(`flush chain ${table} ${name}`);
  change.write.push(...rules.map((rule) => `add rule ${table} ${name} ${rule}`));
}
