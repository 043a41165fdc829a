import { Session } from "node:inspector/promises";

/** What the isolate of one thread holds. */
export interface ThreadMemory {
  readonly heapBytes: number;
  readonly externalBytes: number;
}

/** Where samples of a thread's program counter fell: the profiler's format, as far as it is used. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  /** Node ids. */
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

interface Reply {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

interface Attached {
  readonly params: { readonly sessionId: string };
}

interface Received {
  readonly params: { readonly sessionId: string; readonly message: string };
}

/**
 * Asks the worker threads of this process what they hold and do, through Node's inspector, which needs nothing in the
 * threads themselves.
 */
export class WorkerThreads {
  readonly #pending = new Map<number, { resolve: (result: unknown) => void; reject: (reason: Error) => void }>();
  readonly #threads: string[] = [];
  #session: Session | undefined;
  #lastId = 0;

  /** Collects garbage in each thread. @returns what is left. */
  collectGarbage(): Promise<ThreadMemory[]> {
    return this.#each(async (ask) => {
      await ask("HeapProfiler.collectGarbage");
      const expression = "JSON.stringify(process.memoryUsage())";
      const { result } = (await ask("Runtime.evaluate", { expression })) as { result: { value: string } };
      const { heapUsed, external } = JSON.parse(result.value) as NodeJS.MemoryUsage;
      return { heapBytes: heapUsed, externalBytes: external };
    });
  }

  /** Begins to sample what the threads do. */
  async startProfiles(): Promise<void> {
    await this.#each(async (ask) => {
      await ask("Profiler.enable");
      await ask("Profiler.start");
    });
  }

  /** Ends that. @returns one a thread. */
  stopProfiles(): Promise<CpuProfile[]> {
    return this.#each(async (ask) => {
      const { profile } = (await ask("Profiler.stop")) as { profile: CpuProfile };
      await ask("Profiler.disable");
      return profile;
    });
  }

  async #each<T>(work: (ask: (method: string, params?: object) => Promise<unknown>) => Promise<T>): Promise<T[]> {
    this.#session ??= await this.#attach();
    return Promise.all(this.#threads.map((id) => work((method, params) => this.#ask(id, method, params))));
  }

  async #attach(): Promise<Session> {
    const session = new Session();
    session.connect();
    session.on("NodeWorker.attachedToWorker", (event) => this.#threads.push((event as Attached).params.sessionId));
    session.on("NodeWorker.receivedMessageFromWorker", (event) => this.#hear((event as Received).params.message));
    await session.post("NodeWorker.enable", { waitForDebuggerOnStart: false });
    return session;
  }

  #ask(sessionId: string, method: string, params: object = {}): Promise<unknown> {
    const id = ++this.#lastId;
    const message = JSON.stringify({ id, method, params });
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#session?.post("NodeWorker.sendMessageToWorker", { sessionId, message }).catch(reject);
    });
  }

  #hear(message: string): void {
    const { id, result, error } = JSON.parse(message) as Reply;
    const pending = id === undefined ? undefined : this.#pending.get(id);
    if (id === undefined || pending === undefined) return;
    this.#pending.delete(id);
    if (error === undefined) pending.resolve(result);
    else pending.reject(new Error(`Cannot ask a worker thread: ${error.message}`));
  }
}
