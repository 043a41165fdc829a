import type { Clock } from "../../clock.ts";
import type { TransportError } from "../transport/transport.ts";

/** Of one backend so much is told at most: one failure, and then the next one after so long. */
const QUIET_MS = 60_000;
/** With more backends than this, those of which it is long ago are forgotten. */
const MAX_BACKENDS = 1024;

/** Why a backend could not be connected to. */
export interface ConnectFailure {
  readonly backendId: string;
  /** The system's error name, or OpenSSL's: ECONNREFUSED, CERT_HAS_EXPIRED… */
  readonly code: string;
  readonly reason: string;
  /** Failures of this backend since the last one that was told. */
  readonly untold: number;
}

/** What {@link ConnectFailures} needs. */
export interface ConnectFailuresOptions {
  readonly clock: Clock;
  readonly report: (failure: ConnectFailure) => void;
}

interface Told {
  atMs: number;
  untold: number;
}

/** Tells of backends that can't be connected to, at times and not each time. */
export class ConnectFailures {
  readonly #options: ConnectFailuresOptions;
  readonly #told = new Map<string, Told>();

  constructor(options: ConnectFailuresOptions) {
    this.#options = options;
  }

  note(backendId: string, { code, message: reason }: TransportError): void {
    const { clock, report } = this.#options;
    const nowMs = clock.nowMs();
    const told = this.#told.get(backendId);
    if (told !== undefined && nowMs - told.atMs < QUIET_MS) {
      told.untold++;
      return;
    }
    if (this.#told.size >= MAX_BACKENDS) this.#forgetOld(nowMs);
    this.#told.set(backendId, { atMs: nowMs, untold: 0 });
    report({ backendId, code, reason, untold: told?.untold ?? 0 });
  }

  #forgetOld(nowMs: number): void {
    for (const [backendId, { atMs }] of this.#told) if (nowMs - atMs >= QUIET_MS) this.#told.delete(backendId);
  }
}
