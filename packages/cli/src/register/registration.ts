import { Code, ConnectError } from "@connectrpc/connect";
import { describeError, type FiberlbClient } from "@fiberlb/api";

import { delay } from "../clock.ts";
import type { CliIo } from "../io.ts";

/** What is kept registered. */
export interface Registered {
  readonly poolId: string;
  readonly address: string;
  readonly port: number;
  readonly weight: number | undefined;
  readonly ttlS: number;
  readonly name: string;
  readonly metadata: Readonly<Record<string, string>>;
}

type RegistrationIo = Pick<CliIo, "clock" | "random" | "stderr">;

/** Failures that a renewal a little later may not meet again. */
const PASSING: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.DeadlineExceeded,
  Code.Aborted,
  Code.Internal,
  Code.Unknown,
  Code.ResourceExhausted,
  Code.Canceled,
]);

const isPassing = (error: unknown): boolean => error instanceof ConnectError && PASSING.has(error.code);

const FIRST_RETRY_MS = 250;
/** How often a drain is looked at. */
const DRAIN_POLL_MS = 250;
/** Renewals of many programs that started together spread by so much of the interval. */
const JITTER = 0.1;

/** One backend of a pool, registered for as long as it is kept. */
export class Registration {
  readonly #client: FiberlbClient;
  readonly #io: RegistrationIo;
  readonly #registered: Registered;
  #id = "";

  constructor(client: FiberlbClient, io: RegistrationIo, registered: Registered) {
    this.#client = client;
    this.#io = io;
    this.#registered = registered;
  }

  /** Registers, then renews three times a TTL until the signal aborts. @throws what no later attempt would mend */
  async keep(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted;) {
      failures = (await this.#renew()) ? 0 : failures + 1;
      const intervalMs = this.#intervalMs;
      const waitMs = failures === 0 ? intervalMs : Math.min(intervalMs, FIRST_RETRY_MS * 2 ** (failures - 1));
      await delay(this.#io.clock, this.#jittered(waitMs), signal);
    }
  }

  get #intervalMs(): number {
    return Math.floor((this.#registered.ttlS * 1000) / 3);
  }

  #jittered(ms: number): number {
    return ms * (1 - JITTER + 2 * JITTER * this.#io.random());
  }

  async #renew(): Promise<boolean> {
    const { weight, ...request } = this.#registered;
    const given = weight === undefined ? request : { ...request, weight };
    try {
      const { backend } = await this.#client.backends.registerBackend(given, { timeoutMs: this.#intervalMs });
      this.#id = backend?.id ?? "";
      return true;
    } catch (error) {
      if (!isPassing(error)) throw error;
      this.#warn(`cannot renew the registration, trying again: ${describeError(error)}`);
      return false;
    }
  }

  /** Takes the backend out of service; one that has gone already is fine, and a failure is told and left to the TTL. */
  async deregister(): Promise<void> {
    const { poolId, address, port } = this.#registered;
    try {
      await this.#client.backends.deregisterBackend({ poolId, address, port }, { timeoutMs: this.#intervalMs });
    } catch (error) {
      if (error instanceof ConnectError && error.code === Code.NotFound) return;
      this.#warn(
        `cannot deregister; the server drains the backend within ${this.#registered.ttlS} s: ${describeError(error)}`,
      );
    }
  }

  /** Waits until the backend's connections have ended, for at most `limitMs`, or until the signal aborts. */
  async drained(limitMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#io;
    const endMs = clock.nowMs() + limitMs;
    while (!signal.aborted && (await this.#exists())) {
      const leftMs = endMs - clock.nowMs();
      if (leftMs <= 0) return;
      await delay(clock, Math.min(DRAIN_POLL_MS, leftMs), signal);
    }
  }

  /** A server that does not answer may still drain: it counts as yes. */
  async #exists(): Promise<boolean> {
    if (this.#id === "") return false;
    try {
      await this.#client.backends.getBackend({ id: this.#id }, { timeoutMs: this.#intervalMs });
      return true;
    } catch (error) {
      return !(error instanceof ConnectError && error.code === Code.NotFound);
    }
  }

  #warn(message: string): void {
    this.#io.stderr.write(`fiberlb register: ${message}\n`);
  }
}
