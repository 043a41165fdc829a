import { Agenda } from "../agenda.ts";
import type { Announcements } from "../announcements.ts";
import { type Clock, sleep } from "../clock.ts";
import type { BgpGlobal, GobgpApi, GobgpEvent } from "../gobgp/api.ts";
import type { SpeakerLogger } from "../logger.ts";
import type { WantedBgp } from "../peers/check-managed.ts";
import type { RouteBook } from "../routes/route-book.ts";
import type { PeerStatus } from "../status.ts";
import { PeerKeeper } from "./peer-keeper.ts";
import { isSame, prepareDaemon } from "./prepare-daemon.ts";
import { RouteKeeper } from "./route-keeper.ts";
import {
  CALL_TIMEOUT_MS,
  HEARTBEAT_EVERY_MS,
  HEARTBEAT_TIMEOUT_MS,
  LISTING_SHARE,
  LOOK_AGAIN_MS,
  RECONCILE_EVERY_MS,
} from "./timing.ts";

/** What a session works on, and whom it tells. */
export interface SessionOptions {
  readonly api: GobgpApi;
  readonly book: RouteBook;
  readonly announcements: Announcements;
  readonly wanted: WantedBgp | undefined;
  readonly clock: Clock;
  readonly logger: SpeakerLogger;
  /** BGP runs in the daemon as wanted. */
  readonly onReady: (bgp: BgpGlobal) => void;
  /** The daemon is as desired for the first time. */
  readonly onReconciled: () => void;
  readonly onPeers: (peers: readonly PeerStatus[]) => void;
  /** After every change of the book. */
  readonly onRoutes: () => void;
}

/** One connection with the daemon, from the first call to the first thing that fails. */
export class Session {
  readonly #options: SessionOptions;
  readonly #agenda: Agenda<"routes" | "peers">;
  readonly #routes: RouteKeeper;
  readonly #peers: PeerKeeper;
  readonly #ended = new AbortController();
  readonly #failure = Promise.withResolvers<never>();

  constructor(options: SessionOptions) {
    const { api, book, announcements, logger, wanted, clock } = options;
    this.#options = options;
    this.#agenda = new Agenda(clock);
    this.#routes = new RouteKeeper({
      api,
      book,
      announcements,
      onChange: () => {
        this.#agenda.request("peers", ADVERTISED_AFTER_MS);
        options.onRoutes();
      },
      onRefused: ({ prefix }, reason) => logger.warn(`GoBGP refused to announce ${prefix}: ${reason}`),
    });
    this.#peers = new PeerKeeper({ api, wanted: wanted?.peers, logger, onStatus: options.onPeers });
  }

  /** Keeps the daemon as desired until something fails. @throws what failed */
  async run(): Promise<never> {
    const { api, wanted, clock, onReady, onReconciled } = this.#options;
    const first = Promise.withResolvers<void>();
    try {
      const following = this.#follow(first.resolve);
      const failed = Promise.race([following, this.#failure.promise]);
      const late = sleep(clock, CALL_TIMEOUT_MS, this.#ended.signal).then(() => NO_EVENT);
      if ((await Promise.race([first.promise, failed, late])) === NO_EVENT) throw new Error("it tells no events");
      const bgp = await Promise.race([prepareDaemon(api, wanted?.global, { timeoutMs: CALL_TIMEOUT_MS }), failed]);
      onReady(bgp);
      return await Promise.race([failed, this.#beat(bgp), this.#reconcile(onReconciled)]);
    } finally {
      this.#ended.abort();
      this.#agenda.close();
    }
  }

  /** The book has a new desired set. */
  applyNow(): void {
    this.#routes.apply().catch(this.#failure.reject);
  }

  async #follow(onFirst: () => void): Promise<never> {
    for await (const event of this.#options.api.watch()) {
      if (event.kind === "ready") onFirst();
      else this.#heed(event);
    }
    throw new Error("it ended the connection");
  }

  #heed(event: Exclude<GobgpEvent, { kind: "ready" }>): void {
    if (event.kind === "peer") this.#agenda.request("peers", 0);
    // What we withdraw ourselves is no longer desired.
    else if (this.#options.book.isDesired(event.prefix)) this.#agenda.request("routes", 0);
  }

  /** A daemon that hangs keeps its connections: only an answer says that it lives. */
  async #beat(bgp: BgpGlobal): Promise<never> {
    const { api, clock } = this.#options;
    for (;;) {
      await sleep(clock, HEARTBEAT_EVERY_MS, this.#ended.signal);
      if (this.#ended.signal.aborted) return this.#failure.promise;
      const now = await api.getBgp({ timeoutMs: HEARTBEAT_TIMEOUT_MS });
      if (!isSame(now, bgp)) throw new Error("somebody set it up anew");
    }
  }

  /** Routes first, so that a session that opens carries them in its first update. */
  async #reconcile(onFirst: () => void): Promise<never> {
    await this.#reconcileRoutes();
    await this.#reconcilePeers();
    onFirst();
    for (;;) {
      const due = await this.#agenda.next();
      if (due.has("routes")) await this.#reconcileRoutes();
      if (due.has("peers")) await this.#reconcilePeers();
    }
  }

  async #reconcileRoutes(): Promise<void> {
    const { clock } = this.#options;
    const startedMs = clock.now();
    await this.#routes.reconcile();
    this.#agenda.request("routes", Math.max(RECONCILE_EVERY_MS, (clock.now() - startedMs) / LISTING_SHARE));
  }

  async #reconcilePeers(): Promise<void> {
    const well = await this.#peers.reconcile();
    this.#agenda.request("peers", well ? RECONCILE_EVERY_MS : LOOK_AGAIN_MS);
  }
}

const NO_EVENT = Symbol("no event");

/** After changes of routes, the number of routes sent to each peer is asked for again. */
const ADVERTISED_AFTER_MS = 100;
