import type { Clock } from "../../../clock.ts";
import type { DataPlaneLog } from "../../data-plane.ts";
import { type Census, CensusTaker, EMPTY_CENSUS } from "./census.ts";
import type { RunCommand } from "./command.ts";
import type { FamilyWords } from "./family.ts";

/** What {@link KernelConnections} needs. */
export interface KernelConnectionsOptions {
  readonly run: RunCommand;
  readonly clock: Clock;
  readonly log: DataPlaneLog;
}

/** Listing takes conntrack and us about 3 µs an entry. It is done so seldom that it takes a twentieth of a core at most. */
const SHARE_OF_A_CORE = 0.05;

/** Connections that are open in the kernel, as conntrack listed them last. */
export class KernelConnections {
  readonly #options: KernelConnectionsOptions;
  #census = EMPTY_CENSUS;
  #dueMs = -Infinity;
  /** Why they could not be listed last. */
  #problem = "";

  constructor(options: KernelConnectionsOptions) {
    this.#options = options;
  }

  /** How many there were. */
  get census(): Census {
    return this.#census;
  }

  /** Lists them anew, unless that takes too long to do it again already. Never rejects. */
  async refresh(families: readonly FamilyWords[], isOurs: (endpointKey: string) => boolean): Promise<void> {
    const { clock, log } = this.#options;
    const startMs = clock.nowMs();
    if (startMs < this.#dueMs) return;
    const taker = new CensusTaker(isOurs);
    try {
      for (const family of families) await this.#list(family, taker);
      [this.#census, this.#problem] = [taker, ""];
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#problem)
        log.warn("connections that the kernel has open cannot be counted", { reason: message });
      [this.#census, this.#problem] = [EMPTY_CENSUS, message];
    }
    const nowMs = clock.nowMs();
    this.#dueMs = nowMs + (nowMs - startMs) / SHARE_OF_A_CORE;
  }

  async #list({ suffix }: FamilyWords, taker: CensusTaker): Promise<void> {
    const args = ["-L", "-f", suffix === "6" ? "ipv6" : "ipv4", "--dst-nat"];
    const command = { name: "conntrack", args, onOutput: (chunk: string) => taker.take(chunk) } as const;
    const { code, stderr } = await this.#options.run(command).catch((error: NodeJS.ErrnoException) => {
      const why = error.code === "ENOENT" ? "conntrack is not installed; install the package conntrack" : error.message;
      throw new Error(why, { cause: error });
    });
    if (code !== 0) throw new Error(stderr.trim().split("\n").at(-1) || `conntrack ended with code ${code}`);
  }
}
