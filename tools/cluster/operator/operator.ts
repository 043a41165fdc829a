import { fileURLToPath } from "node:url";

import type { Host } from "../host.ts";
import { Peer } from "../peer.ts";
import { addressOf } from "../plan.ts";
import type { Errand, ErrandResult } from "./operator-process.ts";

const SCRIPT = fileURLToPath(new URL("operator-process.ts", import.meta.url));
/** Where the runbook puts the operator's certificate. */
const TLS_FILES = ["/etc/fiberlb/ca/ca.crt", "/etc/fiberlb/ca/operator/tls.crt", "/etc/fiberlb/ca/operator/tls.key"];

/** JSON as the API has it. */
export type Json = Readonly<Record<string, unknown>>;

/** What the API said no with. */
export class ApiRefusal extends Error {
  readonly code: string;

  constructor(rpc: string, { code = "unknown", message = "" }: Json) {
    super(`${rpc}: ${String(code)}: ${String(message)}`);
    this.code = String(code);
  }
}

/** Calls the nodes' APIs from the admin machine, with the operator's certificate. */
export class Operator {
  readonly #peer: Peer<Omit<Errand, "id">, ErrandResult>;

  private constructor(peer: Peer<Omit<Errand, "id">, ErrandResult>) {
    this.#peer = peer;
  }

  static async start(admin: Host): Promise<Operator> {
    const files = TLS_FILES.map((file) => admin.path(file));
    return new Operator(await Peer.of("the operator", admin.fork(SCRIPT, files)));
  }

  /** Calls an RPC on a node, for example `PoolService/CreatePool`. @throws ApiRefusal, or Error when it cannot be reached */
  async call(node: string, rpc: string, request: Json = {}): Promise<Json> {
    return (await this.timedCall(node, rpc, request)).answer;
  }

  /** As {@link call}; with the moment at which the answer was there. */
  async timedCall(
    node: string,
    rpc: string,
    request: Json = {},
  ): Promise<{ readonly answer: Json; readonly atMs: number }> {
    const url = `https://${addressOf(node, "management")}:9080/fiberlb.v1.${rpc}`;
    const { status, text, atMs } = await this.#send({ url, json: JSON.stringify(request) });
    const answer = JSON.parse(text) as Json;
    if (status !== 200) throw new ApiRefusal(rpc, answer);
    return { answer, atMs };
  }

  /** A page of a node's admin port, for example `/metrics`. */
  async adminPage(node: string, page: string): Promise<{ readonly status: number; readonly text: string }> {
    return this.#send({ url: `http://${addressOf(node, "management")}:9081${page}` });
  }

  close(): Promise<void> {
    return this.#peer.close();
  }

  async #send(errand: Omit<Errand, "id">) {
    const result = await this.#peer.ask(errand);
    if ("error" in result) throw new Error(result.error);
    return result;
  }
}
