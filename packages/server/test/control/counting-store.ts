import type { Store } from "@fiberlb/store";

/** A store that notes what is asked of it. */
export interface CountingStore {
  readonly store: Store;
  /** `get`, `range`, `txn`, …, in the order of the calls, since the last time. */
  take(): string[];
}

export function countingStore(inner: Store): CountingStore {
  let calls: string[] = [];
  const store = new Proxy(inner, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== "function") return value;
      return (...args: unknown[]): unknown => {
        calls.push(String(name));
        return Reflect.apply(value, target, args);
      };
    },
  });
  return {
    store,
    take() {
      const taken = calls;
      calls = [];
      return taken;
    },
  };
}
