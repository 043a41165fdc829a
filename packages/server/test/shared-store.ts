import { type Store, StoreError, type WatchBatch, type WatchOptions } from "@fiberlb/store";

/** One node's way to a store that several share. */
export interface Connection {
  readonly store: Store;
  /** From now on the store is away for this node; its watches end with UNAVAILABLE. */
  cut(): void;
  restore(): void;
}

/** A way to the store that can be cut; closing it leaves the store to the others. */
export function connect(shared: Store): Connection {
  let line = new AbortController();
  const away = (): StoreError => new StoreError("UNAVAILABLE", "Cannot reach the store: the line is cut");
  const through = <Args extends readonly unknown[], T>(call: (...args: Args) => Promise<T>) => {
    return async (...args: Args): Promise<T> => {
      if (line.signal.aborted) throw away();
      return call(...args);
    };
  };
  async function* watch(options: WatchOptions): AsyncGenerator<WatchBatch> {
    const { signal: cutSignal } = line;
    if (cutSignal.aborted) throw away();
    const signal = options.signal === undefined ? cutSignal : AbortSignal.any([options.signal, cutSignal]);
    for await (const batch of shared.watch({ ...options, signal })) {
      if (cutSignal.aborted) break;
      yield batch;
    }
    if (cutSignal.aborted) throw away();
  }
  return {
    store: {
      get: through(shared.get.bind(shared)),
      range: through(shared.range.bind(shared)),
      txn: through(shared.txn.bind(shared)),
      grantLease: through(shared.grantLease.bind(shared)),
      keepAlive: through(shared.keepAlive.bind(shared)),
      revokeLease: through(shared.revokeLease.bind(shared)),
      leaseTimeToLive: through(shared.leaseTimeToLive.bind(shared)),
      compact: through(shared.compact.bind(shared)),
      status: through(shared.status.bind(shared)),
      watch,
      close: async () => undefined,
    },
    cut: () => line.abort(),
    restore: () => void (line = new AbortController()),
  };
}
