import { readFile } from "node:fs/promises";

import type { PeerSettings } from "../gobgp/api.ts";
import { badPassword, type WantedPeer } from "./check-managed.ts";

/** Peers with their passwords, and why some have none. */
export interface PeersWithPasswords {
  readonly peers: readonly PeerSettings[];
  /** By address. */
  readonly problems: ReadonlyMap<string, string>;
}

/** Reads the passwords that are in files, anew each time, so that a changed one takes effect. */
export async function withPasswords(wanted: readonly WantedPeer[]): Promise<PeersWithPasswords> {
  const peers: PeerSettings[] = [];
  const problems = new Map<string, string>();
  for (const { settings, password } of wanted) {
    const read = "file" in password ? await readPassword(password.file) : password;
    if ("problem" in read) problems.set(settings.address, read.problem);
    else peers.push({ ...settings, password: read.text });
  }
  return { peers, problems };
}

async function readPassword(file: string): Promise<{ readonly text: string } | { readonly problem: string }> {
  try {
    const text = (await readFile(file, "utf8")).replace(/\r?\n$/, "");
    const why = badPassword(text);
    return why === undefined ? { text } : { problem: `the password in ${file} ${why}` };
  } catch (error) {
    return { problem: `cannot read passwordFile ${file}: ${error instanceof Error ? error.message : String(error)}` };
  }
}
