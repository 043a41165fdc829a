import type { Path } from "../routes/path.ts";
import type { BgpGlobal, CallLimits, HeldPeer, PeerSettings } from "./api.ts";
import type { Family } from "./families.ts";

/** What of a listed path says what and whose it is, the same in both generations. */
export interface WirePathHead {
  readonly isWithdraw: boolean;
  readonly neighborIp: string;
  readonly identifier: number;
}

/** An event of the daemon, as far as both generations have it alike. */
export interface WireEvent<WirePath> {
  readonly event:
    | { readonly case: "peer"; readonly value: { readonly type: number } }
    | { readonly case: "table"; readonly value: { readonly paths: readonly WirePath[] } }
    | { readonly case: undefined };
}

/** What differs between the generations: the service, the numbers of enums, and how paths and peers are written. */
export interface Wire<WirePath extends WirePathHead, WirePeer> {
  readonly generation: 3 | 4;
  getBgp(limits: CallLimits): Promise<{ readonly global?: BgpGlobal | undefined }>;
  startBgp(global: BgpGlobal, limits: CallLimits): Promise<unknown>;
  /** Events of peers, and of the best paths. */
  watchEvent(): AsyncIterable<WireEvent<WirePath>>;
  listPath(
    family: Family,
    limits: CallLimits,
  ): AsyncIterable<{
    readonly destination?: { readonly prefix: string; readonly paths: readonly WirePath[] } | undefined;
  }>;
  addPathStream(paths: WirePath[], limits: CallLimits): Promise<unknown>;
  listPeer(limits: CallLimits): AsyncIterable<{ readonly peer?: WirePeer | undefined }>;
  addPeer(peer: PeerSettings, limits: CallLimits): Promise<unknown>;
  deletePeer(address: string, limits: CallLimits): Promise<unknown>;
  encodePath(path: Path, identifier: number): WirePath;
  encodeWithdrawal(path: Path, identifier: number): WirePath;
  decodePath(destination: string, path: WirePath): Path | undefined;
  /** The prefix of a path in an event, which comes without a destination. */
  prefixOf(path: WirePath): string;
  decodePeer(peer: WirePeer): HeldPeer;
}

/** A stream of one request. */
export async function* once<T>(value: T): AsyncIterable<T> {
  yield await Promise.resolve(value);
}
