import { SpeakerError } from "./errors.ts";
import type { Route } from "./route.ts";
import type { RouteChanges } from "./routes/diff.ts";
import { routeOf } from "./routes/path.ts";
import type { RefusedPath } from "./routes/route-book.ts";
import type { AnnounceReport } from "./speaker.ts";

interface Waiting {
  readonly added: Map<string, Route>;
  readonly withdrawn: Map<string, Route>;
  readonly resolve: (report: AnnounceReport) => void;
  readonly reject: (error: SpeakerError) => void;
}

/** Those who wait for an `announce` to be done, and what has been done since each asked. */
export class Announcements {
  #waiting: Waiting[] = [];

  /** Settles with the next {@link settle} or {@link fail}. */
  wait(): Promise<AnnounceReport> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ added: new Map(), withdrawn: new Map(), resolve, reject });
    });
  }

  /** The daemon took these. */
  record({ withdraw, add }: RouteChanges): void {
    if (this.#waiting.length === 0) return;
    const [gone, made] = [withdraw.map(routeOf), add.map(routeOf)];
    for (const { added, withdrawn } of this.#waiting) {
      for (const route of gone) {
        added.delete(route.prefix);
        withdrawn.set(route.prefix, route);
      }
      for (const route of made) added.set(route.prefix, route);
    }
  }

  /** The daemon holds what is desired, but for what it refused. */
  settle({ desired, refused }: { readonly desired: number; readonly refused: readonly RefusedPath[] }): void {
    const [first] = refused;
    if (first !== undefined) {
      const others = refused.length === 1 ? "" : `, and ${refused.length - 1} more`;
      this.fail(new SpeakerError(`GoBGP refused to announce ${first.path.prefix}: ${first.reason}${others}`));
      return;
    }
    for (const { added, withdrawn, resolve } of this.#take()) {
      resolve({ added: [...added.values()], withdrawn: [...withdrawn.values()], unchanged: desired - added.size });
    }
  }

  /** The daemon can't have it now. */
  fail(error: SpeakerError): void {
    for (const { reject } of this.#take()) reject(error);
  }

  #take(): Waiting[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }
}
