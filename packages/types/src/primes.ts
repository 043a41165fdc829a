/** By trial division: at most 1,118 steps for a Maglev table size. */
export function isPrime(n: number): boolean {
  if (n < 4) return n > 1;
  if (n % 2 === 0) return false;
  for (let divisor = 3; divisor * divisor <= n; divisor += 2) {
    if (n % divisor === 0) return false;
  }
  return true;
}

/** The primes on either side of a number that is none; only the higher one below 3. */
export function nearestPrimes(n: number): readonly number[] {
  let below = n - 1;
  while (below > 1 && !isPrime(below)) below -= 1;
  let above = n + 1;
  while (!isPrime(above)) above += 1;
  return below > 1 ? [below, above] : [above];
}
