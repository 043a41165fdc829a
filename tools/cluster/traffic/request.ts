import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

import type { Answer, Manner, Tally, Target } from "./messages.ts";

/** Counts what becomes of requests. */
export class Counter {
  #slowestMs = 0;
  #sent = 0;
  readonly #counts = { failed: {}, retried: {}, byServer: {}, bySource: {} } as Record<
    "failed" | "retried" | "byServer" | "bySource",
    Record<string, number>
  >;

  add(kind: "failed" | "retried" | "byServer" | "bySource", what: string): void {
    this.#counts[kind][what] = (this.#counts[kind][what] ?? 0) + 1;
  }

  done(outcome: Answer | string, tookMs: number): void {
    this.#sent++;
    this.#slowestMs = Math.max(this.#slowestMs, tookMs);
    if (typeof outcome === "string") return this.add("failed", outcome);
    this.add("byServer", outcome.server);
    this.add("bySource", outcome.from);
  }

  tally(): Tally {
    return structuredClone({ requests: this.#sent, slowestMs: this.#slowestMs, ...this.#counts });
  }
}

/** Sends one request until it is answered or its retries are used up. @returns the answer, or why there is none */
export async function send(
  target: Target,
  { timeoutMs, retries, retryPauseMs }: Manner,
  { counter, localPort }: { readonly counter: Counter; readonly localPort?: number | undefined },
): Promise<Answer | string> {
  const started = performance.now();
  for (let attempt = 0; ; attempt++) {
    const outcome = await attemptOnce(target, { timeoutMs, localPort }).catch(reasonOf);
    if (typeof outcome !== "string" || attempt === retries) {
      counter.done(outcome, performance.now() - started);
      return outcome;
    }
    counter.add("retried", outcome);
    await sleep(retryPauseMs);
  }
}

const reasonOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? (error as Error).message;

function attemptOnce(
  { host, port }: Target,
  { timeoutMs, localPort }: { readonly timeoutMs: number; readonly localPort?: number | undefined },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host, port, agent: false, ...(localPort !== undefined && { localPort }) }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (body += chunk));
      response.once("error", reject);
      response.once("end", () => {
        if (response.statusCode === 200) resolve(JSON.parse(body) as Answer);
        else reject(new Error(`HTTP ${response.statusCode}`));
      });
    });
    const deadline = setTimeout(() => sent.destroy(new Error("no answer")), timeoutMs);
    sent.once("close", () => clearTimeout(deadline));
    sent.once("error", reject);
    sent.end();
  });
}
