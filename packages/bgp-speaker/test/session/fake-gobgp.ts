import { Code, ConnectError } from "@connectrpc/connect";
import type { Cidr } from "@fiberlb/types";

import type { BgpGlobal, GobgpApi, GobgpEvent, HeldPeer, PeerSettings } from "../../src/gobgp/api.ts";
import type { RouteChanges } from "../../src/routes/diff.ts";
import type { Path } from "../../src/routes/path.ts";
import { heldPeer } from "../peers/held-peer.ts";

/** A daemon in memory. What it was asked is in `calls`; calls can be held back, and prefixes refused. */
export class FakeGobgp implements GobgpApi {
  readonly generation = 4;
  readonly calls: string[] = [];
  bgp: BgpGlobal = { asn: 0, routerId: "", listenPort: 0, listenAddresses: [] };
  paths = new Map<Cidr, Path>();
  peers = new Map<string, HeldPeer>();
  readonly refused = new Set<Cidr>();
  /** Why StartBgp does not work; empty: it does. */
  startError = "";
  /** No call is answered while it hangs. */
  #hanging: PromiseWithResolvers<void> | undefined;
  readonly #events: GobgpEvent[] = [{ kind: "ready" }];
  #ended: Error | undefined;
  #more = Promise.withResolvers<void>();

  hang(): void {
    this.#hanging = Promise.withResolvers();
  }

  answer(): void {
    this.#hanging?.resolve();
    this.#hanging = undefined;
  }

  emit(event: GobgpEvent): void {
    this.#events.push(event);
    this.#more.resolve();
  }

  /** Breaks the stream of events. */
  endEvents(error: Error): void {
    this.#ended = error;
    this.#more.resolve();
  }

  /** The first events never come. */
  mute(): void {
    this.#events.length = 0;
  }

  async #called(what: string): Promise<void> {
    this.calls.push(what);
    await this.#hanging?.promise;
  }

  async getBgp(): Promise<BgpGlobal> {
    await this.#called("getBgp");
    return this.bgp;
  }

  async startBgp(global: BgpGlobal): Promise<void> {
    await this.#called("startBgp");
    if (this.startError !== "") throw new ConnectError(this.startError, Code.Unknown);
    this.bgp = global;
  }

  async *watch(): AsyncIterable<GobgpEvent> {
    for (;;) {
      this.#more = Promise.withResolvers();
      yield* this.#events.splice(0);
      if (this.#ended !== undefined) throw this.#ended;
      await this.#more.promise;
    }
  }

  async listPaths(): Promise<Path[]> {
    const listed = [...this.paths.values()];
    await this.#called("listPaths");
    return listed;
  }

  async apply({ withdraw, add }: RouteChanges): Promise<void> {
    await this.#called(`apply -${withdraw.length} +${add.length}`);
    for (const path of [...withdraw, ...add]) {
      if (this.refused.has(path.prefix)) throw new ConnectError(`bad path ${path.prefix}`, Code.Unknown);
    }
    for (const { prefix } of withdraw) this.paths.delete(prefix);
    for (const path of add) this.paths.set(path.prefix, path);
  }

  async listPeers(): Promise<HeldPeer[]> {
    await this.#called("listPeers");
    return [...this.peers.values()];
  }

  async addPeer(settings: PeerSettings): Promise<void> {
    await this.#called(`addPeer ${settings.address}`);
    if (this.peers.has(settings.address)) throw new ConnectError("can't overwrite the existing peer", Code.Unknown);
    this.peers.set(settings.address, heldPeer({ settings, state: "IDLE" }));
  }

  async deletePeer(address: string): Promise<void> {
    await this.#called(`deletePeer ${address}`);
    this.peers.delete(address);
  }
}
