import type { Clock } from "../clock.ts";
import { StoreError } from "../errors.ts";
import type { StoreLogger } from "../logger.ts";
import type { Random } from "../random.ts";

/** Certificates as PEM text. Servers are always verified. */
export interface EtcdTls {
  /** Who may sign the servers' certificates. Default: the authorities that Node trusts. */
  readonly ca?: string;
  /** The client's own certificate (chain), for servers that ask for one; goes with `key`. */
  readonly cert?: string;
  readonly key?: string;
}

/** How to reach an etcd cluster, and what of it to use. */
export interface EtcdStoreOptions {
  /** Client URLs of the members: `http://10.0.0.1:2379`, or `https://` with `tls`. One is enough, all are better. */
  readonly endpoints: readonly string[];
  readonly tls?: EtcdTls;
  /** With `password`: who to be, where etcd's authentication is enabled. */
  readonly username?: string;
  readonly password?: string;
  /**
   * Comes before every key in etcd and is taken off again: several users can share a cluster, and a role can be
   * limited to it. At most 32 bytes, ends with `/`. Default: none, so the store is the whole key space.
   */
  readonly prefix?: string;
  /** How long a call may take, all attempts together. Default 5000. */
  readonly timeoutMs?: number;
  /** How long one member may take to answer before another is asked. Default 2000. */
  readonly attemptTimeoutMs?: number;
  /** How long a connection may take to be made, TLS included. Default 1000. */
  readonly connectTimeoutMs?: number;
  /**
   * Ask the cluster once before the store is handed out, so that what is wrong is said at once. Default true. Without
   * it the store opens also while no member can be reached, and its calls fail with `UNAVAILABLE` until one can.
   */
  readonly verify?: boolean;
  /** Default: real time. */
  readonly clock?: Clock;
  /** Default: the engine's. */
  readonly random?: Random;
  /** Told when members are lost and found again. Default: nobody. */
  readonly logger?: StoreLogger;
}

/** What {@link LIMITS} counts for each operation leaves room for so much beside etcd's encoding. */
const MAX_PREFIX_BYTES = 32;

/** The endpoints' URLs, without a path. @throws StoreError `INVALID` that names the option and what it should be. */
export function checkedEndpoints({ endpoints, tls }: EtcdStoreOptions): string[] {
  if (endpoints.length === 0) throw invalid("no endpoints: name at least one, for example http://127.0.0.1:2379");
  return [...new Set(endpoints.map((endpoint) => checkedEndpoint(endpoint, tls !== undefined)))];
}

function checkedEndpoint(endpoint: string, withTls: boolean): string {
  const url = URL.parse(endpoint);
  const plain = url?.protocol === "http:";
  if (!url || !(plain || url.protocol === "https:") || url.pathname !== "/" || url.username !== "" || url.search !== "")
    throw invalid(`endpoint ${JSON.stringify(endpoint)} is no URL like http://127.0.0.1:2379`);
  if (plain && withTls) throw invalid(`endpoint ${endpoint} is cleartext while tls is set: write https://`);
  return url.origin;
}

/** @throws StoreError `INVALID` */
export function checkOptions({ tls, username, password, prefix = "" }: EtcdStoreOptions): void {
  if ((tls?.cert === undefined) !== (tls?.key === undefined)) throw invalid("tls.cert and tls.key go together");
  if ((username === undefined) !== (password === undefined)) throw invalid("username and password go together");
  if (prefix !== "" && !/^[^\0]*\/$/.test(prefix)) throw invalid(`prefix ${JSON.stringify(prefix)} must end with "/"`);
  if (Buffer.byteLength(prefix) > MAX_PREFIX_BYTES) throw invalid(`prefix is longer than ${MAX_PREFIX_BYTES} bytes`);
}

function invalid(problem: string): StoreError {
  return new StoreError("INVALID", `Cannot open the etcd store: ${problem}`);
}
