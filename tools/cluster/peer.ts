import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

/** A process of ours that answers numbered questions over IPC. */
export class Peer<Question extends object, Reply extends { readonly id: number }> {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<
    number,
    { readonly resolve: (reply: Reply) => void; readonly reject: (error: Error) => void }
  >();
  #last = 0;

  private constructor(process: ChildProcess) {
    this.#process = process;
    process.on("message", (reply: Reply) => {
      this.#waiting.get(reply.id)?.resolve(reply);
      this.#waiting.delete(reply.id);
    });
    process.once("exit", () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("its process has ended"));
      this.#waiting.clear();
    });
  }

  /** Resolves when the process has said that it is ready. @throws Error when it ends before */
  static async of<Question extends object, Reply extends { readonly id: number }>(
    what: string,
    process: ChildProcess,
  ): Promise<Peer<Question, Reply>> {
    const ended = once(process, "exit").then(([code]) => {
      throw new Error(`${what} ended with ${String(code)} before it was ready`);
    });
    await Promise.race([once(process, "message"), ended]);
    ended.catch(() => undefined);
    return new Peer(process);
  }

  ask(question: Question): Promise<Reply> {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#process.send({ ...question, id }, (error) => error !== null && error !== undefined && reject(error));
    });
  }

  /** Ends it; resolves when it is gone. */
  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
  }
}
