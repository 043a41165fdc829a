// Jest runs each test file in a realm of its own, where errors that Node itself throws are not `instanceof Error`, as
// they are in production: code under test would take the wrong branch. This makes them so again.
const native = Function.prototype[Symbol.hasInstance] as (this: unknown, value: unknown) => boolean;

Object.defineProperty(Error, Symbol.hasInstance, {
  // Subclasses inherit this: for them it is what it always was.
  value(this: unknown, value: unknown): boolean {
    return native.call(this, value) || (this === Error && isError(value));
  },
});

interface ErrorOfAnyRealm {
  isError: (value: unknown) => boolean;
}

/** Error.isError (ES2026) sees an error of any realm. */
const isError = (value: unknown): boolean => (Error as unknown as ErrorOfAnyRealm).isError(value);

for (const type of [TypeError, RangeError, SyntaxError]) {
  Object.defineProperty(type, Symbol.hasInstance, {
    value(this: unknown, value: unknown): boolean {
      return native.call(this, value) || (this === type && isError(value) && inherits(value, type.name));
    },
  });
}

/** Whether an error of another realm descends from that realm's class of this name. */
function inherits(value: unknown, name: string): boolean {
  for (let proto: unknown = Object.getPrototypeOf(value); proto !== null; proto = Object.getPrototypeOf(proto)) {
    if (Object.hasOwn(proto as object, "name") && (proto as Error).name === name) return true;
  }
  return false;
}
