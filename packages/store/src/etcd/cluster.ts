import type { Clock } from "../clock.ts";
import { StoreError } from "../errors.ts";
import type { StoreLogger } from "../logger.ts";
import type { Random } from "../random.ts";
import { closed } from "../refusals.ts";
import { Backoff } from "./backoff.ts";
import type { Credentials } from "./credentials.ts";
import type { Endpoint } from "./endpoint.ts";
import { classify, type Failure, NoAnswer, reason, refusal } from "./failure.ts";
import { Wakefulness } from "./wakefulness.ts";

export interface ClusterOptions {
  readonly endpoints: readonly Endpoint[];
  readonly credentials: Credentials;
  readonly timeoutMs: number;
  readonly attemptTimeoutMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: StoreLogger | undefined;
}

/** One request to whichever member answers. */
export interface Request<T> {
  /** For messages: "the transaction". */
  readonly what: string;
  readonly perform: (endpoint: Endpoint, signal: AbortSignal) => Promise<T>;
  /** Whether it may be done twice. A request that may not is made again only when it surely was not done. */
  readonly repeatable: boolean;
}

/** The answer, and whether an earlier attempt may have been carried out too. */
export interface Answer<T> {
  readonly value: T;
  readonly repeated: boolean;
}

/** An attempt with less time than this tells nothing but that it had none. */
const LEAST_MS = 20;
/** How many new tokens a call may need before something else is wrong. */
const MAX_TOKENS = 2;

/** All members as one: asks one, and another when that one is lost. */
export class Cluster {
  readonly #options: ClusterOptions;
  readonly #stop = new AbortController();
  readonly #running = new Set<Promise<unknown>>();
  readonly #wakefulness = new Wakefulness();
  #current: number;
  /** Members whose loss has been reported and that have not answered since. */
  readonly #lost = new Set<Endpoint>();
  #closing = false;

  constructor(options: ClusterOptions) {
    this.#options = options;
    // Every client begins with a member of its own choice.
    this.#current = Math.floor(options.random() * options.endpoints.length);
  }

  /** The member that is asked now. */
  get endpoint(): Endpoint {
    return this.#options.endpoints[this.#current]!;
  }

  /** Makes a request until a member answers it or its time is over. @throws StoreError */
  call<T>(request: Request<T>): Promise<Answer<T>> {
    if (this.#closing) return Promise.reject(closed());
    const answer = this.#call(request);
    this.#running.add(answer);
    this.#wakefulness.begin();
    void answer
      .catch(() => {})
      .finally(() => {
        this.#running.delete(answer);
        this.#wakefulness.end();
      });
    return answer;
  }

  /** Turns to the next member, unless somebody has done so already. */
  leave(endpoint: Endpoint, why: unknown): void {
    if (!this.#lost.has(endpoint) && !this.#stop.signal.aborted) {
      this.#lost.add(endpoint);
      this.#options.logger?.warn(`etcd member ${endpoint.url} is lost: ${reason(why)}`);
    }
    if (endpoint === this.endpoint) this.#current = (this.#current + 1) % this.#options.endpoints.length;
  }

  /** To be called when a member has answered. */
  found(endpoint: Endpoint): void {
    if (this.#lost.delete(endpoint)) this.#options.logger?.warn(`etcd member ${endpoint.url} answers again`);
  }

  /** Takes no more calls, finishes those made. */
  async finish(): Promise<void> {
    this.#closing = true;
    await Promise.allSettled(this.#running);
  }

  /** Drops all connections. */
  disconnect(): void {
    this.#stop.abort();
    this.#wakefulness.close();
    for (const endpoint of this.#options.endpoints) endpoint.abort(new NoAnswer("the store is closed"));
  }

  async #call<T>({ what, perform, repeatable }: Request<T>): Promise<Answer<T>> {
    const { clock, random, timeoutMs, endpoints } = this.#options;
    const deadlineMs = clock.now() + timeoutMs;
    const backoff = new Backoff(clock, random);
    const reasons = new Map<string, string>();
    let repeated = false;
    for (let tries = 1, tokens = 0; ; tries++) {
      const { endpoint } = this;
      const outcome = await this.#attempt(endpoint, perform, deadlineMs);
      if ("value" in outcome) return { value: outcome.value, repeated };
      const { kind, error } = outcome;
      if (kind === "refused") throw refusal(what, error);
      if (kind === "unauthenticated") {
        if (tokens++ === MAX_TOKENS) throw refusal(what, error);
        continue;
      }
      this.leave(endpoint, error);
      reasons.set(endpoint.url, reason(error));
      if (kind === "lost" && !repeatable) throw ambiguous(what, endpoint, error);
      repeated ||= kind === "lost";
      if (tries >= endpoints.length) await backoff.wait(this.#stop.signal, deadlineMs - clock.now());
      if (deadlineMs - clock.now() < LEAST_MS || this.#stop.signal.aborted) throw unreachable(what, reasons, error);
    }
  }

  async #attempt<T>(
    endpoint: Endpoint,
    perform: Request<T>["perform"],
    deadlineMs: number,
  ): Promise<{ readonly value: T } | Failure> {
    const { clock, attemptTimeoutMs, credentials } = this.#options;
    const startedMs = clock.now();
    const abort = new AbortController();
    const limitMs = Math.min(attemptTimeoutMs, deadlineMs - startedMs);
    let token: string | undefined;
    let asked = false;
    const cancel = clock.after(limitMs, () => {
      const error = new NoAnswer(`no answer within ${Math.round(limitMs)} ms`);
      abort.abort(error);
      // Not a word in all that time: whatever else is on this connection waits in vain too.
      if (endpoint.heardMs < startedMs) endpoint.abort(error);
    });
    try {
      await endpoint.connect();
      await credentials.provide(endpoint);
      ({ token } = credentials);
      asked = true;
      const value = await perform(endpoint, abort.signal);
      this.found(endpoint);
      return { value };
    } catch (error) {
      const failure = classify(abort.signal.aborted ? abort.signal.reason : error);
      if (failure.kind === "lost" && !asked) return { ...failure, kind: "unsent" };
      if (failure.kind !== "unauthenticated") return failure;
      credentials.refused(token);
      return credentials.replaceable ? failure : { kind: "refused", error };
    } finally {
      cancel();
    }
  }
}

function ambiguous(what: string, { url }: Endpoint, error: unknown): StoreError {
  const message = `etcd member ${url} was lost during ${what} (${reason(error)}): it may or may not have happened`;
  return new StoreError("UNAVAILABLE", message, { cause: error });
}

function unreachable(what: string, reasons: ReadonlyMap<string, string>, cause: unknown): StoreError {
  const members = Array.from(reasons, ([url, why]) => `${url}: ${why}`).join("; ");
  return new StoreError("UNAVAILABLE", `Cannot reach etcd for ${what} (${members})`, { cause });
}
