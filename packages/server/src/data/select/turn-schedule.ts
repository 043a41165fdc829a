/**
 * One cycle of turns: indices into `weights`, each as often as its weight after the common divisor is taken out. After
 * any number of turns everybody has had its exact share, give or take less than one turn.
 *
 * Turn j of a backend that is due every `interval` turns must lie within [j × interval, (j + 1) × interval), rounded
 * outwards; of those whose time has begun the one whose time ends first goes next (pinwheel scheduling by earliest
 * deadline; Baruah et al., "Proportionate Progress", 1996). The cost is turns × log(backends): 256,000 turns (1,000
 * backends of weight 256) take some ten milliseconds.
 *
 * @param weights whole numbers from 1.
 */
export function scheduleTurns(weights: readonly number[]): Uint16Array<ArrayBuffer> {
  const divisor = weights.reduce(greatestCommonDivisor, 0);
  const turns = weights.map((weight) => weight / divisor);
  const total = turns.reduce((sum, count) => sum + count, 0);
  const schedule = new Uint16Array(total);
  const taken = new Uint16Array(weights.length);
  const begun = new EarliestFirst(weights.length);
  const beginning = new Arrivals(total, weights.length);
  for (let index = 0; index < weights.length; index++) beginning.add(0, index);
  for (let turn = 0; turn < total; turn++) {
    for (let index = beginning.takeFirst(turn); index >= 0; index = beginning.takeFirst(turn)) {
      begun.add(index, Math.ceil((((taken[index] as number) + 1) * total) / (turns[index] as number)));
    }
    const next = begun.take();
    schedule[turn] = next;
    const done = ((taken[next] as number) += 1);
    const begins = Math.floor((done * total) / (turns[next] as number));
    if (begins < total) beginning.add(Math.max(begins, turn + 1), next);
  }
  return schedule;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** Who arrives at which turn; everybody at one turn at a time. */
class Arrivals {
  readonly #first: Int32Array;
  readonly #following: Int32Array;

  constructor(turns: number, members: number) {
    this.#first = new Int32Array(turns).fill(-1);
    this.#following = new Int32Array(members);
  }

  add(turn: number, member: number): void {
    this.#following[member] = this.#first[turn] as number;
    this.#first[turn] = member;
  }

  /** −1: nobody is left. */
  takeFirst(turn: number): number {
    const member = this.#first[turn] as number;
    if (member >= 0) this.#first[turn] = this.#following[member] as number;
    return member;
  }
}

/** A binary heap of members by deadline, of equal ones the lower number first. */
class EarliestFirst {
  readonly #deadlines: Float64Array;
  readonly #heap: Int32Array;
  #size = 0;

  constructor(members: number) {
    this.#deadlines = new Float64Array(members);
    this.#heap = new Int32Array(members);
  }

  add(member: number, deadline: number): void {
    this.#deadlines[member] = deadline;
    let place = this.#size++;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!this.#isBefore(member, this.#heap[parent] as number)) break;
      this.#heap[place] = this.#heap[parent] as number;
      place = parent;
    }
    this.#heap[place] = member;
  }

  take(): number {
    const first = this.#heap[0] as number;
    const moved = this.#heap[--this.#size] as number;
    let place = 0;
    for (let child = 1; child < this.#size; child = 2 * place + 1) {
      if (child + 1 < this.#size && this.#isBefore(this.#heap[child + 1] as number, this.#heap[child] as number))
        child++;
      if (!this.#isBefore(this.#heap[child] as number, moved)) break;
      this.#heap[place] = this.#heap[child] as number;
      place = child;
    }
    this.#heap[place] = moved;
    return first;
  }

  #isBefore(a: number, b: number): boolean {
    const difference = (this.#deadlines[a] as number) - (this.#deadlines[b] as number);
    return difference < 0 || (difference === 0 && a < b);
  }
}
