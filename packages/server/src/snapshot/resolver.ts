import { compareIp, type Host, type IpAddress, isIpHost, parseIp } from "@fiberlb/types";

import type { Cancel, Clock } from "../clock.ts";
import type { Random } from "../random.ts";
import type { ResolvedHost } from "./compile.ts";
import type { AddressRecord, NameLookup } from "./lookup.ts";

/** What is known about a name. */
export interface Resolution extends ResolvedHost {
  readonly name: string;
  /**
   * Where to connect; absent until a first answer. Of several addresses it is the lowest, IPv4 before IPv6, so that every
   * node and every answer, in whatever order, leads to the same one.
   */
  readonly address?: string;
  /** Why there is no answer, or why the last look-up failed while the address is the last one known. */
  readonly problem?: string;
}

/** Keeps DNS names resolved. */
export interface Resolver {
  /**
   * Resolves exactly these hosts from now on; new ones at once. Addresses need no look-up and may be among them. Applying
   * the same set twice does nothing.
   */
  apply(hosts: Iterable<string>): void;
  /** What a host stands for now; an address is its own answer. */
  resolve(host: string): ResolvedHost;
  /** Stops; nothing is reported afterwards. */
  stop(): void;
}

export interface ResolverOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly lookup: NameLookup;
  /** Called when a name's address or problem has changed, the first answer included. Must not throw. */
  readonly onChange: (resolution: Resolution) => void;
  /** Why an address may not be used (`backends.deniedCidrs`); undefined = it may. One bad address spoils the answer. */
  readonly refuse?: (address: string) => string | undefined;
  /** What a name is known to stand for: used, and not reported, until a look-up says otherwise. */
  readonly known?: (name: string) => ResolvedHost | undefined;
}

/** Bounds of an answer's lifetime: not too often for name servers, not too late for users. */
const MIN_TTL_S = 5;
const MAX_TTL_S = 60;
/** For answers that name no lifetime: the hosts file and the system's resolver. */
const UNKNOWN_TTL_S = 15;
const RETRY_MS = 5000;
const JITTER = 0.1;
/** So many new names are looked up at once, as many more each time this passes. */
const BATCH = 64;
const BATCH_MS = 100;
/** The problem of a name that nobody has looked up. */
export const NOT_YET = "not looked up yet";

/** A resolver of no names yet. */
export const createResolver = (options: ResolverOptions): Resolver => new ScheduledResolver(options);

class ScheduledResolver implements Resolver {
  readonly #options: ResolverOptions;
  readonly #names = new Map<string, ResolvedName>();

  constructor(options: ResolverOptions) {
    this.#options = options;
  }

  apply(hosts: Iterable<string>): void {
    const wanted = new Set([...hosts].filter((host) => !isAddress(host)));
    for (const [name, known] of this.#names) {
      if (wanted.has(name)) continue;
      known.stop();
      this.#names.delete(name);
    }
    const added = [...wanted].filter((name) => !this.#names.has(name));
    for (const [index, name] of added.entries()) {
      const entry = new ResolvedName(name, this.#options);
      this.#names.set(name, entry);
      entry.start(Math.floor(index / BATCH) * BATCH_MS);
    }
  }

  resolve(host: string): ResolvedHost {
    if (isAddress(host)) return { address: host };
    return this.#names.get(host)?.resolution ?? knownBefore(host, this.#options);
  }

  stop(): void {
    this.apply([]);
  }
}

/** Whether a host needs no look-up. */
export const isAddress = (host: string): boolean => isIpHost(host as Host);

const knownBefore = (name: string, { known }: ResolverOptions): ResolvedHost => known?.(name) ?? { problem: NOT_YET };

/** One name's life: look up, wait for the answer's lifetime, look up again. */
class ResolvedName {
  resolution: Resolution;
  readonly #options: ResolverOptions;
  #cancelPlan: Cancel = () => {};
  #stopped = false;

  constructor(name: string, options: ResolverOptions) {
    this.#options = options;
    this.resolution = { name, ...knownBefore(name, options) };
  }

  start(delayMs: number): void {
    this.#cancelPlan = this.#options.clock.after(delayMs, () => void this.#lookUp());
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelPlan();
  }

  async #lookUp(): Promise<void> {
    const outcome = await this.#ask();
    if (this.#stopped) return;
    const jitter = 1 - JITTER + 2 * JITTER * this.#options.random();
    this.start(outcome.againMs * jitter);
    this.#take(outcome);
  }

  async #ask(): Promise<Outcome> {
    const { name } = this.resolution;
    try {
      const records = await this.#options.lookup(name);
      return judge(name, records, this.#options.refuse);
    } catch (error) {
      return failed(Error.isError(error) ? error.message : String(error));
    }
  }

  #take({ address = this.resolution.address, problem }: Outcome): void {
    const before = this.resolution;
    if (before.address === address && before.problem === problem) return;
    this.resolution = {
      name: before.name,
      ...(address === undefined ? {} : { address }),
      ...(problem === undefined ? {} : { problem }),
    };
    this.#options.onChange(this.resolution);
  }
}

/** What came of one look-up: an address or a problem, and when to ask again. */
interface Outcome {
  readonly address?: string;
  readonly problem?: string;
  readonly againMs: number;
}

const failed = (problem: string): Outcome => ({ problem, againMs: RETRY_MS });

function judge(name: string, records: readonly AddressRecord[], refuse: ResolverOptions["refuse"]): Outcome {
  const addresses = records.flatMap(({ address }) => {
    const parsed = parseIp(address);
    return parsed.ok ? [parsed.value] : [];
  });
  const [lowest] = addresses.toSorted(compareIp);
  if (lowest === undefined) return failed("the name has no address");
  const refusal = addresses.map((address) => refusalOf(address, refuse)).find((reason) => reason !== undefined);
  if (refusal !== undefined) return failed(`answer for ${name} refused: ${refusal}`);
  return { address: lowest, againMs: lifetimeS(records) * 1000 };
}

function refusalOf(address: IpAddress, refuse: ResolverOptions["refuse"]): string | undefined {
  const why = refuse?.(address);
  return why === undefined ? undefined : `${address} ${why}`;
}

function lifetimeS(records: readonly AddressRecord[]): number {
  const shortest = Math.min(...records.map(({ ttlS = UNKNOWN_TTL_S }) => ttlS));
  return Math.min(Math.max(shortest, MIN_TTL_S), MAX_TTL_S);
}
