import { readFileSync } from "node:fs";

import type { SpeakerOptions } from "@fiberlb/bgp-speaker";

import type { BgpConfig } from "../config/bgp-schema.ts";

/** Where the daemon is, with the key material that its API wants. */
export function daemonOf({ gobgp, tls }: BgpConfig): Pick<SpeakerOptions, "gobgp" | "tls"> {
  if (tls === undefined) return { gobgp };
  const read = (key: "ca" | "cert" | "key"): { readonly [name in typeof key]?: string } =>
    tls[key] === undefined ? {} : { [key]: readText(`bgp.tls.${key}`, tls[key]) };
  return { gobgp, tls: { ...read("ca"), ...read("cert"), ...read("key") } };
}

/** The text of a file that the configuration names. @throws Error that names key and file */
export function readText(key: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new Error(`Cannot read ${key} ${file}: ${(error as Error).message}`, { cause: error });
  }
}
