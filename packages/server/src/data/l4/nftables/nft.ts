/**
 * nft as the driver uses it: transactions, the few listings that stay cheap however large the table is, and its
 * messages in our words.
 *
 * Cheap in nft 1.0.6: `list set`, `list map` and `list chains`. Everything else, `list table` and even `list tables`, reads
 * every element of every set first.
 */
import type { RunCommand } from "./command.ts";
import { TABLE, type TableName } from "./fragment.ts";

/** Why nft did not do what it was asked. */
export type NftErrorKind = "missing" | "permission" | "not-found" | "refused";

/** Says what nft said, and what to do about it. */
export class NftError extends Error {
  readonly kind: NftErrorKind;

  constructor(kind: NftErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "NftError";
    this.kind = kind;
  }
}

/** An element of a listing: its key, as `endpointKey` and its like write it, what it leads to, what it has counted. */
export interface ListedElement {
  readonly key: string;
  /** Of verdict maps: `accept`, `goto chain`; of other maps the value; empty for sets. */
  readonly data: string;
  readonly packets: number;
  readonly bytes: number;
}

/** Commands of nft. All throw {@link NftError}. */
export class Nft {
  readonly #run: RunCommand;
  readonly #table: TableName;
  /** The same, as arguments. */
  readonly #words: readonly string[];

  constructor(run: RunCommand, table: TableName = TABLE) {
    this.#run = run;
    this.#table = table;
    this.#words = table.split(" ");
  }

  /** Carries out all statements or none. */
  async load(statements: string): Promise<void> {
    await this.#nft(["-f", "-"], statements);
  }

  /** Asks whether the statements could be carried out; nothing is changed. */
  async check(statements: string): Promise<void> {
    await this.#nft(["-c", "-f", "-"], statements);
  }

  /** The comment of a set of our table; undefined when there is no such set. */
  async setComment(set: string): Promise<string | undefined> {
    const listing = await this.#find(["list", "set", ...this.#words, set]);
    return listing === undefined ? undefined : commentIn(listing);
  }

  /** The comment of the table, empty when it has none; undefined when there is no such table. Dear on a large one. */
  async tableComment(): Promise<string | undefined> {
    const listing = await this.#find(["-t", "list", "table", ...this.#words]);
    return listing === undefined ? undefined : (commentIn(listing) ?? "");
  }

  /** Names of the chains of our table. */
  async chains(): Promise<string[]> {
    const { nftables } = JSON.parse(
      await this.#nft(["-j", "list", "chains", this.#words[0] as string]),
    ) as ChainListing;
    return nftables.flatMap(({ chain }) =>
      chain !== undefined && `${chain.family} ${chain.table}` === this.#table ? [chain.name] : [],
    );
  }

  /** Whether our table has such a set. */
  async hasSet(set: string): Promise<boolean> {
    return (await this.#find(["-t", "list", "set", ...this.#words, set])) !== undefined;
  }

  /** What is in a set or map of our table. */
  async elements(kind: "set" | "map", name: string): Promise<ListedElement[]> {
    const listing = JSON.parse(await this.#nft(["-j", "list", kind, ...this.#words, name])) as SetListing;
    const listed = listing.nftables.flatMap((item) => item.set?.elem ?? item.map?.elem ?? []);
    return listed.map(readElement);
  }

  async #find(args: readonly string[]): Promise<string | undefined> {
    try {
      return await this.#nft(args);
    } catch (error) {
      if (error instanceof NftError && error.kind === "not-found") return undefined;
      throw error;
    }
  }

  async #nft(args: readonly string[], input?: string): Promise<string> {
    const result = await this.#run({ name: "nft", args, ...(input !== undefined && { input }) }).catch(explainStart);
    if (result.code === 0) return result.stdout;
    throw explainNft(result.stderr, result.code);
  }
}

function explainStart(error: NodeJS.ErrnoException): never {
  if (error.code === "ENOENT") {
    throw new NftError("missing", "nft is not installed; install nftables, or set dataPlane.l4: userspace", {
      cause: error,
    });
  }
  throw new NftError("missing", `nft cannot be started: ${error.message}`, { cause: error });
}

/** What nft wrote to standard error → what is wrong. */
export function explainNft(stderr: string, code: number | null): NftError {
  if (/operation not permitted|permission denied/i.test(stderr)) {
    return new NftError(
      "permission",
      "no permission to change nftables: needs CAP_NET_ADMIN, or dataPlane.l4: userspace",
    );
  }
  if (code === null) return new NftError("refused", "nft did not end in time");
  // The statement that was refused stands in the line below the message, and may be long.
  const [message = "", statement = ""] = stderr.trim().split("\n");
  const what = /Error: (.*)/.exec(message)?.[1] ?? (message || `nft ended with code ${code}`);
  const where = statement === "" ? "" : `, in "${shorten(statement.trim())}"`;
  return new NftError(/No such file or directory/.test(what) ? "not-found" : "refused", `nft: ${what}${where}`);
}

const shorten = (text: string): string => (text.length > 160 ? `${text.slice(0, 157)}…` : text);

const commentIn = (listing: string): string | undefined => /^\t{1,2}comment "(.*)"$/m.exec(listing)?.[1];

interface ChainListing {
  readonly nftables: readonly {
    readonly chain?: { readonly family: string; readonly table: string; readonly name: string };
  }[];
}

interface SetListing {
  readonly nftables: readonly {
    readonly set?: { readonly elem?: readonly RawElement[] };
    readonly map?: { readonly elem?: readonly RawElement[] };
  }[];
}

type RawKey = string | number | { readonly concat: readonly (string | number)[] };
type RawVerdict = string | { readonly goto: { readonly target: string } } | { readonly accept: null };
type RawElement =
  | RawKey
  | readonly [RawKey, RawVerdict]
  | {
      readonly elem: { readonly val: RawKey; readonly counter?: { readonly packets: number; readonly bytes: number } };
    };

function readElement(raw: RawElement): ListedElement {
  if (Array.isArray(raw)) {
    const [key, verdict] = raw as readonly [RawKey, RawVerdict];
    return { key: readKey(key), data: readVerdict(verdict), packets: 0, bytes: 0 };
  }
  if (typeof raw === "object" && "elem" in raw) {
    const { val, counter } = raw.elem;
    return { key: readKey(val), data: "", packets: counter?.packets ?? 0, bytes: counter?.bytes ?? 0 };
  }
  return { key: readKey(raw as RawKey), data: "", packets: 0, bytes: 0 };
}

function readVerdict(verdict: RawVerdict): string {
  if (typeof verdict === "string") return verdict;
  return "goto" in verdict ? `goto ${verdict.goto.target}` : "accept";
}

/** A host without /etc/protocols lists numbers. */
const PROTOCOL_NAMES: Readonly<Record<string, string>> = { 6: "tcp", 17: "udp" };

function readKey(key: RawKey): string {
  if (typeof key !== "object") return String(key);
  const [address = "", protocol = "", ...rest] = key.concat;
  return [address, PROTOCOL_NAMES[protocol] ?? protocol, ...rest].join(" . ");
}
