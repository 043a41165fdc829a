import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

const SCRIPT = new URL("./child.ts", import.meta.url).pathname;

/** A store in another process. */
export class Child {
  readonly #process: ChildProcess;
  readonly #lines: string[] = [];
  readonly #watchers = new Set<() => void>();
  readonly #exited: Promise<void>;
  #ended = false;
  #errors = "";

  constructor(...args: string[]) {
    this.#process = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", SCRIPT, ...args]);
    this.#process.stderr!.on("data", (data: Buffer) => (this.#errors += data.toString()));
    createInterface({ input: this.#process.stdout! }).on("line", (line) => {
      this.#lines.push(line);
      this.#notify();
    });
    this.#exited = new Promise((resolve) => {
      this.#process.once("close", () => {
        this.#ended = true;
        this.#notify();
        resolve();
      });
    });
  }

  get pid(): number {
    return this.#process.pid!;
  }

  /** Everything it has said so far. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Resolves once it has said so many lines. */
  async said(count: number): Promise<void> {
    while (this.#lines.length < count) {
      if (this.#ended) throw new Error(`Child ended after ${this.#lines.length} lines: ${this.#errors}`);
      await new Promise<void>((resolve) => this.#watchers.add(resolve));
    }
  }

  /** kill -9; resolves once it is gone and all it said has arrived. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#exited;
  }

  #notify(): void {
    for (const wake of this.#watchers) wake();
    this.#watchers.clear();
  }
}
