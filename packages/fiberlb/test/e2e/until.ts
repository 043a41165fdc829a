const DEADLINE_MS = 30_000;
const PACE_MS = 20;

/**
 * Asks again and again until the answer is as wanted, and gives that answer.
 * @throws Error that says what was waited for and the last answer, after 30 s.
 */
export async function until<T>(what: string, ask: () => T | Promise<T>, holds: (answer: T) => boolean): Promise<T> {
  const deadline = Date.now() + DEADLINE_MS;
  let answer = await ask();
  while (!holds(answer)) {
    if (Date.now() > deadline) throw new Error(`still not so: ${what}; last answer: ${JSON.stringify(answer)}`);
    await pace();
    answer = await ask();
  }
  return answer;
}

/** Between two questions, so that asking does not take the processor from what is asked. */
function pace(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, PACE_MS);
  return promise;
}
