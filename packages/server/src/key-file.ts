import { hkdfSync, randomBytes } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";

import type { Config } from "./config/config.ts";

const KEY_BYTES = 32;

/**
 * The key that private keys are sealed with: from `secrets.keyFile`, or from `fiberlb.key` beside the SQLite file, which is
 * made (mode 0600) when it is absent. A memory store gets a key of its own that ends with it.
 *
 * @throws Error that names the file when it cannot be read or is no key.
 */
export function loadKey({ store, secrets }: Config): Uint8Array {
  if (secrets.keyFile !== undefined) return readKey(secrets.keyFile);
  if (store.kind !== "sqlite") return randomBytes(KEY_BYTES);
  const path = join(dirname(store.path), "fiberlb.key");
  return createKey(path) ?? readKey(path);
}

/** What session cookies are signed with, so that what is shown to clients says nothing of the key that seals. */
export const deriveSessionKey = (key: Uint8Array): Uint8Array => derive(key, "fiberlb session cookies");

/** What the keys of TLS session tickets are made from; the same on every node with the same key, so that they resume each other's sessions. */
export const deriveTicketSecret = (key: Uint8Array): Uint8Array => derive(key, "fiberlb TLS session tickets");

/** HKDF (RFC 5869): secrets of different labels say nothing of each other, nor of the key. */
const derive = (key: Uint8Array, label: string): Uint8Array =>
  new Uint8Array(hkdfSync("sha256", key, "", label, KEY_BYTES));

/** One line of base64, so that it can be copied. undefined when there is a file already. */
function createKey(path: string): Uint8Array | undefined {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const file = openNew(path);
  if (file === undefined) return undefined;
  const key = randomBytes(KEY_BYTES);
  writeSync(file, `${key.toString("base64")}\n`);
  fsyncSync(file);
  closeSync(file);
  return key;
}

function openNew(path: string): number | undefined {
  try {
    return openSync(path, "wx", 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return undefined;
    throw new Error(`Cannot make the key file ${path}: ${(error as Error).message}`, { cause: error });
  }
}

function readKey(path: string): Uint8Array {
  const key = Buffer.from(readText(path).trim(), "base64");
  if (key.length === KEY_BYTES) return key;
  throw new Error(
    `Cannot use the key file ${path}: it must hold ${KEY_BYTES} bytes in base64 (openssl rand -base64 ${KEY_BYTES}), not ${key.length}`,
  );
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new Error(`Cannot read the key file ${path}: ${(error as Error).message}`, { cause: error });
  }
}
