import type { Cancel, Clock } from "../../clock.ts";
import type { Lease, Refusal } from "../balancer.ts";
import type { ExchangeClient } from "./exchange-client.ts";
import type { HttpPool } from "./http-pools.ts";
import { sessionCookieLine } from "./session-headers.ts";
import type { Upstream } from "./upstream.ts";

/** Backends tried for one request while nothing of it was delivered. */
export const MAX_CONNECT_ATTEMPTS = 3;

/**
 * Finds backends for one request after the other: that of its session, one that has a place, one that gets a place in
 * time; and another one after each that failed.
 */
export class BackendSearch {
  readonly #client: ExchangeClient;
  readonly #onTurn: (choice: Lease | Refusal) => void;
  #pool!: HttpPool;
  /** The backend that the client's session is with. */
  #sessionBackendId: string | undefined;
  /** Another backend answers for the session's, and begins none. */
  #isDetour = false;
  #tried: Set<string> | undefined;
  #leaveQueue: Cancel | undefined;
  /** Connects of this request. */
  attempts = 0;

  /** @param onTurn called when waiting has come to an end. */
  constructor(client: ExchangeClient, onTurn: (choice: Lease | Refusal) => void) {
    this.#client = client;
    this.#onTurn = onTurn;
  }

  get pool(): HttpPool {
    return this.#pool;
  }

  /** For a new request. "waiting": `onTurn` comes later. */
  begin(pool: HttpPool, sessionBackendId: string | undefined): Lease | Refusal | "waiting" {
    this.#pool = pool;
    this.#tried = undefined;
    this.attempts = 0;
    const resumed = sessionBackendId === undefined ? "end" : pool.balancer.resume(sessionBackendId);
    this.#sessionBackendId = resumed === "end" ? undefined : sessionBackendId;
    this.#isDetour = resumed === "detour";
    const choice = typeof resumed === "object" ? resumed : pool.balancer.pick(this.#client);
    return choice.kind === "refusal" && choice.reason === "backend-limit" ? this.#wait() : choice;
  }

  /** Nobody waits for a place any more. */
  stop(): void {
    this.#leaveQueue?.();
    this.#leaveQueue = undefined;
  }

  /** Another backend than those that failed; undefined when enough were tried, or none is left. */
  another(failed: Lease | undefined): Lease | undefined {
    if (failed !== undefined) (this.#tried ??= new Set()).add(failed.backend.id);
    if (this.attempts >= MAX_CONNECT_ATTEMPTS) return undefined;
    const choice = this.#pool.balancer.pick(this.#client, this.#tried);
    return choice.kind === "lease" ? choice : undefined;
  }

  /** What the response has to say of the session, as a header line. */
  sessionLine({ head, backendId }: Upstream, clock: Clock): Uint8Array | undefined {
    const { sessions } = this.#pool;
    if (sessions === undefined || this.#isDetour) return undefined;
    return sessionCookieLine(sessions, head, {
      backendId,
      requestBackendId: this.#sessionBackendId,
      secure: this.#client.tls !== undefined,
      nowMs: clock.epochMs(),
    });
  }

  #wait(): Refusal | "waiting" {
    const leave = this.#pool.balancer.wait(this.#client, (choice) => {
      this.#leaveQueue = undefined;
      this.#onTurn(choice);
    });
    if (typeof leave !== "function") return leave;
    this.#leaveQueue = leave;
    return "waiting";
  }
}
