/** What a server of the lab says. */
export interface Answer {
  readonly server: string;
  /** Address that the server was asked from. */
  readonly from: string;
}

/** Where requests go. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

/** How requests are sent. */
export interface Manner {
  /** Of one attempt. */
  readonly timeoutMs: number;
  /** How often a request that failed is sent again, each time on a new connection. */
  readonly retries: number;
  readonly retryPauseMs: number;
}

/** What became of requests. */
export interface Tally {
  readonly requests: number;
  /** Requests that failed with all their attempts, by the last reason. */
  readonly failed: Readonly<Record<string, number>>;
  /** Attempts that failed and were made good by a later one, by reason. */
  readonly retried: Readonly<Record<string, number>>;
  readonly byServer: Readonly<Record<string, number>>;
  /** By the address that the server saw. */
  readonly bySource: Readonly<Record<string, number>>;
  /** Of the slowest request, its retries counted in. */
  readonly slowestMs: number;
}

/** What a client's process is told. */
export type ToClient =
  | {
      readonly kind: "ask";
      readonly target: Target;
      readonly count: number;
      readonly manner: Manner;
      readonly localPorts?: readonly number[];
    }
  | {
      readonly kind: "start";
      readonly load: number;
      readonly target: Target;
      readonly perSecond: number;
      readonly manner: Manner;
    }
  | { readonly kind: "peek" | "stop"; readonly load: number }
  | { readonly kind: "await"; readonly target: Target; readonly server: string };

/** A question with the number that its answer carries. */
export type Numbered<T> = T & { readonly id: number };

/** What a client's process answers. */
export type FromClient = { readonly id: number } & (
  | { readonly tally: Tally; readonly answers?: readonly (Answer | string)[] }
  | { readonly atMs: number }
  | { readonly error: string }
);
