/**
 * Names that mean the same on every node: the elected node looks them up and writes what it finds into the store, all nodes
 * go by that. So Maglev tables don't differ, whatever name servers answer to whom.
 */
import type { DnsRecord, DnsView, DnsWriter } from "../repository/dns-records.ts";
import type { Election } from "../repository/election.ts";
import type { ResolvedHost } from "./compile.ts";
import { isAddress, NOT_YET, type Resolution, type Resolver, type ResolverOptions } from "./resolver.ts";

/** What {@link createSharedResolver} works with. */
export interface SharedResolverOptions {
  readonly view: Pick<DnsView, "get" | "names" | "onChange">;
  readonly writer: Pick<DnsWriter, "set" | "remove" | "clear">;
  readonly election: Pick<Election, "isElected" | "onChange">;
  /** Makes what looks names up, while this node is elected. */
  readonly createLookups: (options: Pick<ResolverOptions, "known" | "onChange">) => Resolver;
  /** Why an address may not be used; undefined = it may. Asked by every node: their configurations may differ. */
  readonly refuse: (address: string) => string | undefined;
  /** What names stood for before this process: used until the store says. */
  readonly known: (name: string) => string | undefined;
  /** Called when a name in use has changed. Must not throw. */
  readonly onChange: (resolution: Resolution) => void;
}

/** A resolver of no names yet. */
export const createSharedResolver = (options: SharedResolverOptions): Resolver => new SharedResolver(options);

class SharedResolver implements Resolver {
  readonly #options: SharedResolverOptions;
  readonly #unsubscribe: readonly (() => void)[];
  /** Undefined until somebody has said which names are in use. */
  #names: ReadonlySet<string> | undefined;
  /** What each name in use stood for last: a record that goes while it is in use leaves that standing. */
  readonly #last = new Map<string, ResolvedHost>();
  #lookups: Resolver | undefined;

  constructor(options: SharedResolverOptions) {
    this.#options = options;
    this.#unsubscribe = [
      options.view.onChange((name) => this.#changed(name)),
      options.election.onChange(() => this.#elect()),
    ];
    this.#elect();
  }

  apply(hosts: Iterable<string>): void {
    const names = new Set([...hosts].filter((host) => !isAddress(host)));
    this.#names = names;
    for (const name of this.#last.keys()) if (!names.has(name)) this.#last.delete(name);
    for (const name of names) this.#last.set(name, this.resolve(name));
    this.#lookUp();
  }

  resolve(host: string): ResolvedHost {
    if (isAddress(host)) return { address: host };
    const record = this.#options.view.get(host);
    if (record !== undefined) return this.#judge(host, record);
    const last = this.#last.get(host);
    if (last !== undefined) return last;
    const address = this.#options.known(host);
    return address === undefined ? { problem: NOT_YET } : { address };
  }

  stop(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#endLookups();
  }

  #judge(name: string, { address, problem }: DnsRecord): ResolvedHost {
    const refusal = address === undefined ? undefined : this.#options.refuse(address);
    if (refusal !== undefined) return { problem: `answer for ${name} refused: ${address} ${refusal}` };
    return { ...(address !== undefined && { address }), ...(problem !== undefined && { problem }) };
  }

  #changed(name: string): void {
    if (this.#names?.has(name) !== true) return;
    const before = this.#last.get(name);
    const now = this.resolve(name);
    if (before?.address === now.address && before?.problem === now.problem) return;
    this.#last.set(name, now);
    this.#options.onChange({ name, ...now });
  }

  #elect(): void {
    if (this.#options.election.isElected) this.#lookUp();
    else this.#endLookups();
  }

  #endLookups(): void {
    this.#lookups?.stop();
    this.#lookups = undefined;
    this.#options.writer.clear();
  }

  /** Has exactly the names in use looked up, if this node is the one to do so. */
  #lookUp(): void {
    const { election, view, writer, createLookups } = this.#options;
    const names = this.#names;
    if (names === undefined || !election.isElected) return;
    for (const name of view.names.difference(names)) writer.remove(name);
    this.#lookups ??= createLookups({
      // Only what the store has: the first answer has to be written.
      known: (name) => view.get(name),
      onChange: ({ name, address = this.resolve(name).address, problem }) =>
        writer.set(name, { ...(address !== undefined && { address }), ...(problem !== undefined && { problem }) }),
    });
    this.#lookups.apply(names);
  }
}
