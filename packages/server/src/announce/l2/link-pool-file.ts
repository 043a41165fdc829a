import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

import type { Log } from "../../log.ts";
import type { AnnouncedPool } from "../../vip/link-vips.ts";

/** Remembers which pools are announced on a link, for a start while the store is away. */
export interface LinkPoolFile {
  /** Undefined: nothing was ever written. */
  read(): readonly AnnouncedPool[] | undefined;
  write(pools: readonly AnnouncedPool[]): void;
}

/** One JSON file, replaced by rename. What can't be read or written is in the log and goes without. */
export function createLinkPoolFile(path: string, log: Log): LinkPoolFile {
  return {
    read() {
      try {
        return (JSON.parse(readFileSync(path, "utf8")) as { pools: AnnouncedPool[] }).pools;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT")
          log.warn("cannot read which VIP pools are announced on a link; those of the configuration count", {
            file: path,
            error,
          });
        return undefined;
      }
    },
    write(pools) {
      try {
        mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
        writeFileSync(`${path}.new`, JSON.stringify({ pools }), { mode: 0o600 });
        renameSync(`${path}.new`, path);
      } catch (error) {
        log.warn("cannot write down which VIP pools are announced on a link", { file: path, error });
      }
    },
  };
}
