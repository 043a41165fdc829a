import { Code, ConnectError } from "@connectrpc/connect";

import { StoreError } from "../errors.ts";
import type { Endpoint } from "./endpoint.ts";
import { classify, reason } from "./failure.ts";

export interface CredentialsOptions {
  readonly username?: string;
  readonly password?: string;
  /** How long a member may take to give a token: many calls wait for it, so none of theirs ends it. */
  readonly timeoutMs: number;
}

/** Who the store is to etcd: fetches tokens, one request at a time however many calls need one. */
export class Credentials {
  readonly #username: string | undefined;
  readonly #password: string;
  readonly #timeoutMs: number;
  #token: string | undefined;
  /** The cluster does not authenticate (yet): there is nothing to fetch. */
  #unneeded = false;
  #fetching: Promise<void> | undefined;

  constructor({ username, password = "", timeoutMs }: CredentialsOptions) {
    this.#username = username;
    this.#password = password;
    this.#timeoutMs = timeoutMs;
  }

  get token(): string | undefined {
    return this.#token;
  }

  /** Whether a token that was refused can be replaced. */
  get replaceable(): boolean {
    return this.#username !== undefined;
  }

  /** Forgets a token that was refused, unless it has been replaced meanwhile. */
  refused(token: string | undefined): void {
    if (token !== this.#token) return;
    this.#token = undefined;
    this.#unneeded = false;
  }

  /** Sees to it that there is a token where one is needed. @throws StoreError when etcd does not accept the user. */
  async provide(endpoint: Endpoint): Promise<void> {
    if (this.#username === undefined || this.#token !== undefined || this.#unneeded) return;
    this.#fetching ??= this.#fetch(endpoint, this.#username).finally(() => (this.#fetching = undefined));
    await this.#fetching;
  }

  async #fetch(endpoint: Endpoint, name: string): Promise<void> {
    try {
      const { token } = await endpoint.auth.authenticate(
        { name, password: this.#password },
        { timeoutMs: this.#timeoutMs },
      );
      this.#token = token;
    } catch (error) {
      if (error instanceof ConnectError && /authentication is not enabled/.test(error.rawMessage)) {
        this.#unneeded = true;
        return;
      }
      if (classify(error).kind !== "refused") throw error;
      const code = error instanceof ConnectError && error.code === Code.ResourceExhausted ? "FULL" : "UNAVAILABLE";
      throw new StoreError(code, `etcd does not accept user ${JSON.stringify(name)}: ${reason(error)}`, {
        cause: error,
      });
    }
  }
}
