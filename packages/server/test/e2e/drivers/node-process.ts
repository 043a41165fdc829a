// A whole node in a process of its own, so that it can live in a network namespace: `node node-process.ts FLAGS`, flags
// as JSON. Carries out calls of its own API that its parent sends over IPC. Ends with SIGTERM.
import { startTestNode } from "../test-node.ts";

/** A call of the API, and its answer. */
export interface NodeCall {
  readonly id: number;
  readonly service: string;
  readonly method: string;
  readonly message: unknown;
}

/** What came of a {@link NodeCall}; of number 0: that the node runs. */
export interface NodeAnswer {
  readonly id: number;
  readonly answer?: unknown;
  readonly error?: string;
}

type Methods = Readonly<Record<string, (message: unknown) => Promise<unknown>>>;

const node = await startTestNode(JSON.parse(process.argv[2] ?? "{}") as Record<string, unknown>);
const services = node.client as unknown as Readonly<Record<string, Methods>>;

process.on("message", ({ id, service, method, message }: NodeCall) => {
  const call = services[service]?.[method]?.(message) ?? Promise.reject(new Error(`no ${service}.${method}`));
  call.then(
    (answer) => process.send?.({ id, answer } satisfies NodeAnswer),
    (error: unknown) => process.send?.({ id, error: String(error) } satisfies NodeAnswer),
  );
});
process.once("SIGTERM", () => void node.stop().then(() => process.exit(0)));
process.send?.({ id: 0 } satisfies NodeAnswer);
