import { request } from "node:http";

/** Where requests go. */
export interface Target {
  readonly host: string;
  readonly port: number;
  /** Default `/`. */
  readonly path?: string;
}

/** How many answers came from each backend, and how many requests failed, by reason. */
export interface Tally {
  readonly answers: ReadonlyMap<string, number>;
  readonly failures: ReadonlyMap<string, number>;
}

const TIMEOUT_MS = 5000;

/** Sends `count` requests, each on a new connection, and counts who answered. */
export async function sendRequests(target: Target, count: number): Promise<Tally> {
  const answers = new Map<string, number>();
  const failures = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    try {
      const text = await sendRequest(target);
      const name = text.split(" ", 1)[0] ?? "";
      answers.set(name, (answers.get(name) ?? 0) + 1);
    } catch (error) {
      const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
      failures.set(reason, (failures.get(reason) ?? 0) + 1);
    }
  }
  return { answers, failures };
}

function sendRequest({ host, port, path = "/" }: Target): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ host, port, path, agent: false, timeout: TIMEOUT_MS }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (body += chunk));
      response.once("end", () => resolve(body));
      response.once("error", reject);
    });
    sent.once("timeout", () => sent.destroy(new Error("no answer")));
    sent.once("error", reject);
    sent.end();
  });
}

/** `alpha 6, beta 4` and what failed. */
export function describeTally({ answers, failures }: Tally): string {
  const names = [...answers].toSorted(([a], [b]) => a.localeCompare(b)).map(([name, count]) => `${name} ${count}`);
  const failed = [...failures].map(([reason, count]) => `${count} failed (${reason})`);
  return [...names, ...failed].join(", ");
}
