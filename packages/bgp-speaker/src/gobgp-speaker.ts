import { isDeepStrictEqual } from "node:util";

import type { IpAddress } from "@fiberlb/types";

import { Announcements } from "./announcements.ts";
import { backoffMs } from "./backoff.ts";
import { type Clock, sleep } from "./clock.ts";
import { SpeakerError } from "./errors.ts";
import type { BgpGlobal } from "./gobgp/api.ts";
import { openConnection } from "./gobgp/connection.ts";
import { explain, isOtherGeneration } from "./gobgp/fault.ts";
import { findApi } from "./gobgp/find-api.ts";
import type { Target } from "./gobgp/target.ts";
import type { SpeakerLogger } from "./logger.ts";
import type { WantedBgp } from "./peers/check-managed.ts";
import type { Random } from "./random.ts";
import type { Route } from "./route.ts";
import { RouteReader } from "./routes/check-routes.ts";
import { RouteBook } from "./routes/route-book.ts";
import { RefusedError } from "./session/refused.ts";
import { Session } from "./session/session.ts";
import { CALL_TIMEOUT_MS } from "./session/timing.ts";
import type { AnnounceReport, Speaker, SpeakerTls } from "./speaker.ts";
import type { DaemonStatus, PeerStatus, SpeakerStatus } from "./status.ts";

/** {@link SpeakerOptions}, checked and complete. */
export interface SpeakerSettings {
  readonly target: Target;
  /** The target, for people. */
  readonly name: string;
  readonly tls: SpeakerTls | undefined;
  readonly wanted: WantedBgp | undefined;
  /** Mark of our paths. */
  readonly identifier: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: SpeakerLogger;
}

/** The one loop: connect, keep the daemon as desired until something fails, wait, again. */
export class GobgpSpeaker implements Speaker {
  readonly #settings: SpeakerSettings;
  readonly #reader = new RouteReader();
  readonly #book = new RouteBook();
  readonly #announcements = new Announcements();
  readonly #closed = new AbortController();
  readonly #listeners = new Set<(status: SpeakerStatus) => void>();
  readonly #done: Promise<void>;
  #daemon: DaemonStatus = { state: "connecting", reason: "not tried yet" };
  #peers: readonly PeerStatus[] = [];
  #told: SpeakerStatus | undefined;
  #session: Session | undefined;
  /** Between two attempts, when nothing can be done. */
  #idle = false;
  #endConnection: () => void = () => undefined;

  constructor(settings: SpeakerSettings) {
    this.#settings = settings;
    this.#done = this.#loop();
  }

  async announce(routes: readonly Route[]): Promise<AnnounceReport> {
    const desired = this.#reader.read(routes);
    if (this.#closed.signal.aborted) throw new SpeakerError("Cannot announce: the speaker is closed");
    this.#book.setDesired(desired);
    this.#tell();
    if (this.#idle) throw this.#cannot(this.#daemon.reason);
    const report = this.#announcements.wait();
    this.#session?.applyNow();
    return report;
  }

  status(): SpeakerStatus {
    const { desiredCount: desired, heldCount: held } = this.#book;
    return { daemon: this.#daemon, peers: this.#peers, routes: { desired, held } };
  }

  onStatus(listener: (status: SpeakerStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#closed.abort();
    this.#endConnection();
    await this.#done;
  }

  async #loop(): Promise<void> {
    const { clock, random } = this.#settings;
    for (let failures = 0; !this.#closed.signal.aborted; failures += 1) {
      if (await this.#connect()) failures = 0;
      this.#idle = true;
      await sleep(clock, backoffMs(failures, random), this.#closed.signal);
      this.#idle = false;
    }
  }

  /** One connection, from its first call to its end. @returns whether the daemon was as desired in between */
  async #connect(): Promise<boolean> {
    const { target, tls, identifier } = this.#settings;
    const connection = openConnection(target, tls);
    this.#endConnection = () => connection.close();
    let reconciled = false;
    try {
      const api = await findApi(connection.transport, identifier, { timeoutMs: CALL_TIMEOUT_MS });
      this.#session = new Session({
        ...this.#settings,
        api,
        book: this.#book,
        announcements: this.#announcements,
        onReady: (bgp) => this.#ready(api.generation, bgp),
        onReconciled: () => (reconciled = true),
        onPeers: (peers) => {
          this.#peers = peers;
          this.#tell();
        },
        onRoutes: () => this.#tell(),
      });
      return await this.#session.run();
    } catch (error) {
      this.#lost(error);
      return reconciled;
    } finally {
      this.#session = undefined;
      connection.close();
    }
  }

  #ready(generation: 3 | 4, { asn, routerId }: BgpGlobal): void {
    const { logger, name } = this.#settings;
    this.#daemon = { state: "ready", reason: "", generation, asn, routerId: routerId as IpAddress };
    logger.info(`GoBGP ${generation}.x at ${name} is ready: AS ${asn}, router id ${routerId}`);
    this.#tell();
  }

  #lost(error: unknown): void {
    const { target, name, logger } = this.#settings;
    const daemon = this.#closed.signal.aborted ? CLOSED : stateAfter(error, target);
    if (daemon.reason !== this.#daemon.reason) {
      const what = daemon.state === "refused" ? "Cannot use" : "No connection with";
      if (daemon !== CLOSED) logger.warn(`${what} GoBGP at ${name}: ${daemon.reason}`);
    }
    this.#daemon = daemon;
    this.#peers = [];
    this.#book.forget();
    this.#announcements.fail(this.#cannot(daemon.reason));
    this.#tell();
  }

  #cannot(reason: string): SpeakerError {
    return new SpeakerError(`Cannot announce through GoBGP at ${this.#settings.name}: ${reason}`);
  }

  #tell(): void {
    const status = this.status();
    if (isDeepStrictEqual(status, this.#told)) return;
    this.#told = status;
    for (const listener of this.#listeners) {
      try {
        listener(status);
      } catch (error) {
        this.#settings.logger.warn(`A listener to the BGP speaker's status failed: ${String(error)}`);
      }
    }
  }
}

const CLOSED: DaemonStatus = { state: "connecting", reason: "the speaker is closed" };

function stateAfter(error: unknown, target: Target): DaemonStatus {
  if (error instanceof RefusedError) return { state: "refused", reason: error.message };
  if (isOtherGeneration(error)) {
    return {
      state: "refused",
      reason: "it has neither GoBGP's API of 3.x (apipb.GobgpApi) nor of 4.x (api.GoBgpService)",
    };
  }
  return { state: "connecting", reason: explain(error, target) };
}
