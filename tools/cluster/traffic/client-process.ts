// A client of the load balancers, told over IPC what to send: so many requests, or so many a second until further notice.
import type { Answer, FromClient, Numbered, ToClient } from "./messages.ts";
import { Counter, send } from "./request.ts";

interface Load {
  readonly counter: Counter;
  readonly timer: NodeJS.Timeout;
  readonly running: Set<Promise<unknown>>;
}

const TICK_MS = 10;
const AWAIT_MS = 30_000;
const loads = new Map<number, Load>();

type Told<K extends ToClient["kind"]> = Extract<ToClient, { readonly kind: K }>;

async function ask({ target, count, manner, localPorts }: Told<"ask">): Promise<object> {
  const counter = new Counter();
  const answers: (Answer | string)[] = [];
  for (let index = 0; index < count; index++)
    answers.push(await send(target, manner, { counter, localPort: localPorts?.[index] }));
  return { tally: counter.tally(), answers };
}

function start({ load, target, perSecond, manner }: Told<"start">): object {
  const counter = new Counter();
  const running = new Set<Promise<unknown>>();
  const started = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    for (const due = ((performance.now() - started) * perSecond) / 1000; sent < due; sent++) {
      const one: Promise<unknown> = send(target, manner, { counter }).finally(() => running.delete(one));
      running.add(one);
    }
  }, TICK_MS);
  loads.set(load, { counter, timer, running });
  return { tally: counter.tally() };
}

async function stop(number: number): Promise<object> {
  const { counter, timer, running } = loads.get(number)!;
  loads.delete(number);
  clearInterval(timer);
  await Promise.all(running);
  return { tally: counter.tally() };
}

/** Asks without a pause until that server answers. */
async function untilAnsweredBy({ target, server }: Told<"await">): Promise<object> {
  const counter = new Counter();
  const manner = { timeoutMs: 2000, retries: 0, retryPauseMs: 0 };
  const deadline = performance.now() + AWAIT_MS;
  while (performance.now() < deadline) {
    const outcome = await send(target, manner, { counter });
    if (typeof outcome !== "string" && outcome.server === server) return { atMs: Date.now() };
  }
  throw new Error(`no answer of ${server} within ${AWAIT_MS / 1000} s`);
}

function answer(message: ToClient): object | Promise<object> {
  switch (message.kind) {
    case "ask":
      return ask(message);
    case "start":
      return start(message);
    case "peek":
      return { tally: loads.get(message.load)!.counter.tally() };
    case "await":
      return untilAnsweredBy(message);
    case "stop":
      return stop(message.load);
  }
}

process.on("message", (message: Numbered<ToClient>) => {
  Promise.resolve(answer(message)).then(
    (result) => process.send!({ id: message.id, ...result }),
    (error: unknown) => process.send!({ id: message.id, error: String(error) } satisfies FromClient),
  );
});
process.on("disconnect", () => process.exit(0));
process.send?.("listening");
