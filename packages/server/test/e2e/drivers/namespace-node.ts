import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import type { FiberlbClient } from "@fiberlb/api";

import type { Namespace } from "../../data/l4/nftables/testbed.ts";
import type { NodeAnswer } from "./node-process.ts";

/** A node in a network namespace, and a client of its API there. */
export class NamespaceNode {
  readonly client: FiberlbClient;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #ready: Promise<unknown>;
  #calls = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.client = this.#createClient();
    this.#ready = this.#wait(0);
    child.on("message", ({ id, answer, error }: NodeAnswer) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(answer);
      else waiting?.reject(new Error(error));
    });
    child.on("exit", (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`the node ended with ${code}`));
    });
  }

  /** @param flags configuration keys */
  static async start(namespace: Namespace, flags: Readonly<Record<string, unknown>>): Promise<NamespaceNode> {
    const script = fileURLToPath(new URL("node-process.ts", import.meta.url));
    const options = ["--conditions=@fiberlb/source", "--disable-warning=ExperimentalWarning"];
    const node = [process.execPath, ...options, script, JSON.stringify(flags)];
    // Answers hold numbers of 64 bits, which JSON has none of.
    const child = spawn("ip", ["netns", "exec", namespace.name, ...node], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      serialization: "advanced",
    });
    const started = new NamespaceNode(child);
    await started.#ready;
    return started;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await ended;
  }

  #createClient(): FiberlbClient {
    const methods = (service: string): unknown =>
      new Proxy({}, { get: (_, method) => (message: unknown) => this.#call(service, String(method), message) });
    return new Proxy({}, { get: (_, service) => methods(String(service)) }) as FiberlbClient;
  }

  #call(service: string, method: string, message: unknown): Promise<unknown> {
    this.#calls += 1;
    const answer = this.#wait(this.#calls);
    this.#child.send({ id: this.#calls, service, method, message });
    return answer;
  }

  #wait(id: number): Promise<unknown> {
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    return waiting.promise;
  }
}
