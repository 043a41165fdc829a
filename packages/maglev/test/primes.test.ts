import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { buildTable, chooseTableSize, isPrime, MAX_TABLE_SIZE, nearestPrimes } from "../src/index.ts";

const hasDivisor = (value: number): boolean =>
  Array.from({ length: Math.floor(Math.sqrt(value)) - 1 }, (_, i) => i + 2).some((divisor) => value % divisor === 0);

describe("isPrime", () => {
  test.each([2, 3, 5, 7, 1021, 16_381, 65_537, 655_373, MAX_TABLE_SIZE])("%d is prime", (value) => {
    expect(isPrime(value)).toBe(true);
  });

  test.each([-7, 0, 1, 4, 9, 65_536, 1021 * 1021, 2.5, Number.NaN, Infinity])("%d is not", (value) => {
    expect(isPrime(value)).toBe(false);
  });

  test("agrees with counting divisors", () => {
    fc.assert(fc.property(fc.integer({ min: 4, max: 20_000 }), (value) => isPrime(value) === !hasDivisor(value)));
  });
});

describe("nearestPrimes", () => {
  test("names both neighbours of a composite", () => {
    expect(nearestPrimes(65_536)).toEqual({ below: 65_521, above: 65_537 });
  });

  test("is the number itself for a prime", () => {
    expect(nearestPrimes(1021)).toEqual({ below: 1021, above: 1021 });
  });

  test("has nothing below two", () => {
    expect(nearestPrimes(1)).toEqual({ above: 2 });
  });

  test("leaves no prime between", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 100_000 }), (value) => {
        const { below, above } = nearestPrimes(value) as { below: number; above: number };
        expect(isPrime(below) && isPrime(above) && below <= value && value <= above).toBe(true);
        for (let between = below + 1; between < above; between++) expect(isPrime(between)).toBe(false);
      }),
    );
  });
});

describe("table size", () => {
  test("a composite is refused with the nearest primes", () => {
    expect(() => buildTable([{ name: "a" }], { size: 65_536 })).toThrow(/size 65536.*nearest primes: 65521 and 65537/);
  });

  test.each([1, 0, -7, MAX_TABLE_SIZE + 100, Number.NaN])("%d is refused with the range", (size) => {
    expect(() => buildTable([{ name: "a" }], { size })).toThrow(/prime from 2 to 16777213/);
  });

  test("a fraction is refused with the nearest primes", () => {
    expect(() => buildTable([{ name: "a" }], { size: 7.5 })).toThrow(/nearest primes: 7 and 11/);
  });

  test.each([
    [0, 1021],
    [10, 1021],
    [11, 16_381],
    [160, 16_381],
    [161, 65_537],
    [655, 65_537],
    [656, 655_373],
    [10_000, 655_373],
  ])("for %d backends %d is chosen", (count, size) => {
    expect(chooseTableSize(count)).toBe(size);
    expect(isPrime(size)).toBe(true);
  });

  test("is chosen by the number of backends where none is given", () => {
    expect(buildTable(Array.from({ length: 11 }, (_, i) => ({ name: `${i}` }))).size).toBe(16_381);
  });
});
