/** What is remembered of a fill: whose each turn was, and the slot that it took. */
export interface Fill {
  /** Undefined where every contender has one turn a round. */
  readonly turns: Int32Array | undefined;
  readonly claims: Int32Array;
  readonly contenderCount: number;
}

/** The one contender that has more turns in the next fill. */
export interface Gain {
  /** Its position in the next fill. */
  readonly position: number;
  /** Whether the previous fill was without it. */
  readonly isNew: boolean;
}

/** How a previous fill's turns stand in the next one: in the same order, others between them. */
export interface Insertions {
  /** How many turns of the previous fill are left. */
  readonly kept: number;
  /** For each inserted turn the number of kept ones before it. */
  readonly before: readonly number[];
}

/** The position in the next fill of whoever had that turn in the previous one. */
export function positionAt({ turns, contenderCount }: Fill, turn: number, { position, isNew }: Gain): number {
  const known = turns === undefined ? turn % contenderCount : (turns[turn] as number);
  return isNew && known >= position ? known + 1 : known;
}

/**
 * Finds the inserted ones among the first `limit` turns of the next fill.
 *
 * @param next whose each turn is; undefined where every contender has one a round
 * @returns undefined if the turns of the previous fill do not all stand there in the same order
 */
export function findInsertions(
  previous: Fill,
  next: Int32Array | undefined,
  { gain, limit }: { readonly gain: Gain; readonly limit: number },
): Insertions | undefined {
  if (next !== undefined) return searchInsertions(previous, next, { gain, limit });
  if (previous.turns !== undefined || !gain.isNew) return undefined;
  const before: number[] = [];
  const round = previous.contenderCount + 1;
  for (let turn = gain.position; turn < limit; turn += round) before.push(turn - before.length);
  return { kept: limit - before.length, before };
}

function searchInsertions(
  { turns, contenderCount }: Fill,
  next: Int32Array,
  { gain, limit }: { readonly gain: Gain; readonly limit: number },
): Insertions | undefined {
  const before: number[] = [];
  // Whoever stands behind a new contender has moved by one place.
  const movesFrom = gain.isNew ? gain.position : contenderCount;
  let kept = 0;
  let known = turns === undefined ? 0 : (turns[0] as number);
  for (let turn = 0; turn < limit; turn++) {
    const position = next[turn] as number;
    if ((known >= movesFrom ? known + 1 : known) === position) {
      kept++;
      if (turns !== undefined) known = turns[kept] as number;
      else known = known + 1 === contenderCount ? 0 : known + 1;
    } else if (position === gain.position) before.push(kept);
    else return undefined;
  }
  return { kept, before };
}
