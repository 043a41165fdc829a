/** The limits of every store; they are etcd's where etcd has one, so that a transaction fits everywhere. */
export const LIMITS = {
  /** Bytes of UTF-8. */
  keyBytes: 4096,
  /** 1 MiB. */
  valueBytes: 1_048_576,
  /** Comparisons of a transaction, and operations of each branch (etcd `--max-txn-ops`). */
  txnOperations: 128,
  /** Keys and values of a whole transaction, and its overhead: 1.5 MiB (etcd `--max-request-bytes`). */
  txnBytes: 1_572_864,
  /** Counted into `txnBytes` for each comparison and operation: more than etcd's encoding adds. */
  overheadBytes: 64,
  /** Revisions of history that are always kept. */
  retainedRevisions: 10_000,
  /** The longest lease, in milliseconds: etcd's 9,000,000,000 s. */
  leaseTtlMs: 9_000_000_000_000,
} as const;
