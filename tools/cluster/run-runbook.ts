// Types the runbook's commands.
import { readFileSync } from "node:fs";

import type { Lab } from "./lab.ts";
import { parseRunbook, type Section } from "./runbook.ts";

const PAGE = new URL("../../docs/runbook.md", import.meta.url);

/** Rolling restarts take a while; nobody waits longer than this for a step. */
const STEP_TIMEOUT_MS = 150_000;

/** The runbook of this checkout. */
export const readRunbook = (): readonly Section[] => parseRunbook(readFileSync(PAGE, "utf8"));

/** Told before each step. */
export type Say = (line: string) => void;

/**
 * Executes one section, step by step.
 * @throws Error with the line of the page, the host, the commands and what they printed, when one fails
 */
export async function runSection(lab: Lab, title: string, say: Say = () => undefined): Promise<void> {
  const section = readRunbook().find((one) => one.title === title);
  if (section === undefined) throw new Error(`docs/runbook.md has no section "${title}"`);
  for (const { hosts, script, line } of section.steps) {
    for (const host of hosts) {
      say(`${title}, line ${line}, on ${host}`);
      await lab
        .host(host)
        .mustRun(script, { timeoutMs: STEP_TIMEOUT_MS })
        .catch((error: unknown) => {
          throw new Error(`docs/runbook.md:${line}: ${(error as Error).message}`, { cause: error });
        });
    }
  }
}
