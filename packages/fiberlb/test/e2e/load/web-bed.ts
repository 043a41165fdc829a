import { rmSync } from "node:fs";

import { type Declared, declare, untilProvisioned } from "../api.ts";
import { freePort } from "../echo-server.ts";
import { BACKEND_NETWORK, type NodeProcess, startNode, VIP_NETWORK } from "../node-process.ts";
import { until } from "../until.ts";
import { startWebProcess, type WebProcess } from "./processes.ts";

/** What differs from one HTTP listener with one HTTP pool. */
export interface WebBedOptions {
  /** Of the three servers so many are backends from the start. Default: all. */
  readonly backends?: number;
  /** Fields of the listener; called once the node runs, for what must be made first. */
  readonly listener?: (node: NodeProcess) => Promise<object>;
  /** Fields of a TCP health check; absent: none. */
  readonly healthCheck?: object;
}

/** What a load met while backends died. */
export interface Outlived<T> {
  readonly kills: number;
  readonly report: T;
}

/** A node in a process of its own with an HTTP listener, and three HTTP servers, each in a process of its own. */
export class WebBed {
  readonly node: NodeProcess;
  readonly lb: Declared;
  readonly #webs: WebProcess[];

  private constructor(node: NodeProcess, lb: Declared, webs: WebProcess[]) {
    this.node = node;
    this.lb = lb;
    this.#webs = webs;
  }

  /** Resolves when the listener serves. */
  static async start({ backends = 3, listener, healthCheck }: WebBedOptions = {}): Promise<WebBed> {
    const webs = await Promise.all(
      ["a", "b", "c"].map((name, index) => startWebProcess({ name, host: `${BACKEND_NETWORK}.${index + 1}` })),
    );
    const node = await startNode({ config: { shutdown: { drainTimeoutMs: 0 } } });
    const vipAddress = `${VIP_NETWORK}.1`;
    const lb = await declare(node.api, {
      vipAddress,
      port: await freePort(vipAddress),
      pool: { protocol: "POOL_PROTOCOL_HTTP" },
      listener: { protocol: "LISTENER_PROTOCOL_HTTP", ...(await listener?.(node)) },
      backends: webs.slice(0, backends).map(({ host, port }) => ({ address: host, port })),
      ...(healthCheck !== undefined && { healthCheck }),
    });
    await untilProvisioned(node.api, lb);
    return new WebBed(node, lb, webs);
  }

  /** Where the last server is. */
  get spare(): { readonly address: string; readonly port: number } {
    const { host, port } = this.#webs.at(-1)!;
    return { address: host, port };
  }

  /** Where the listener is. */
  url(scheme = "http"): string {
    return `${scheme}://${this.lb.host}:${this.lb.port}/`;
  }

  /**
   * Kills (-9) one backend after the other until the load is over, about one a second: each is away until the health
   * checks notice, so that requests meet its closed port, and back before the next one goes.
   */
  async killInTurnDuring<T>(load: Promise<T>): Promise<Outlived<T>> {
    const over = new AbortController();
    const report = load.finally(() => over.abort());
    let kills = 0;
    for (; !over.signal.aborted; kills++) {
      const index = kills % this.#webs.length;
      const web = this.#webs[index]!;
      const id = this.lb.backendIds[index]!;
      await web.program.kill();
      await this.#untilStatus(id, "OFFLINE");
      this.#webs[index] = await startWebProcess(web);
      await this.#untilStatus(id, "ONLINE");
    }
    return { kills, report: await report };
  }

  async #untilStatus(id: string, status: "ONLINE" | "OFFLINE"): Promise<void> {
    await until(
      `the backend is ${status}`,
      () => this.node.api.resource("BackendService/GetBackend", { id }),
      (backend) => backend["status"] === `BACKEND_STATUS_${status}`,
    );
  }

  async close(): Promise<void> {
    await Promise.all([this.node.program.kill(), ...this.#webs.map(({ program }) => program.kill())]);
    rmSync(this.node.folder, { recursive: true });
  }
}
