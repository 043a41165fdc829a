import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";

import { type KeyRing, SealedSecretError } from "../repository/key-ring.ts";

/** AES-256 keys, 12 bytes of nonce, 16 of tag (NIST SP 800-38D). */
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const VERSION = "v1";

/**
 * Names a key without giving it away: the first 16 hexadecimal digits of the SHA-256 of the key with a prefix. Nodes compare
 * it to make sure that they have the same one.
 */
export const keyFingerprint = (key: Uint8Array): string =>
  createHash("sha256").update("fiberlb key ").update(key).digest("hex").slice(0, 16);

/**
 * Seals secrets with AES-256-GCM. The first key seals, all of them open, so that a key can be replaced step by step.
 *
 * @throws RangeError when there is no key or one has not 32 bytes.
 */
export function createKeyRing(keys: readonly Uint8Array[]): KeyRing {
  const byFingerprint = new Map(keys.map((key) => [keyFingerprint(key), checkedKey(key)]));
  const [active] = byFingerprint;
  if (active === undefined) throw new RangeError("Cannot make a key ring: there is no key");
  const [activeName, activeKey] = active;
  return {
    seal(secret, context) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", activeKey, nonce).setAAD(Buffer.from(context));
      const sealed = Buffer.concat([nonce, cipher.update(secret, "utf8"), cipher.final(), cipher.getAuthTag()]);
      return `${VERSION}.${activeName}.${sealed.toString("base64")}`;
    },
    open(sealed, context) {
      const [version, name = "", body = ""] = sealed.split(".");
      if (version !== VERSION) throw new SealedSecretError(context, `unknown format ${version}`);
      const key = byFingerprint.get(name);
      if (key === undefined) throw new SealedSecretError(context, `it was sealed with key ${name}, which is not here`);
      return decrypt(Buffer.from(body, "base64"), { key, context });
    },
  };
}

function decrypt(bytes: Buffer, { key, context }: { readonly key: Uint8Array; readonly context: string }): string {
  const end = bytes.length - TAG_BYTES;
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, NONCE_BYTES)).setAAD(Buffer.from(context));
  decipher.setAuthTag(bytes.subarray(end));
  try {
    return decipher.update(bytes.subarray(NONCE_BYTES, end), undefined, "utf8") + decipher.final("utf8");
  } catch (error) {
    throw new SealedSecretError(context, "it was changed, or belongs to something else", { cause: error });
  }
}

function checkedKey(key: Uint8Array): Uint8Array {
  if (key.length !== KEY_BYTES)
    throw new RangeError(`Cannot make a key ring: a key has ${key.length} bytes, not ${KEY_BYTES}`);
  return key;
}
