import { createHash } from "node:crypto";

/** SHA-256 of a plain object, whatever the order of its keys; hexadecimal. */
export const bodyHash = (body: object): string => createHash("sha256").update(canonicalJson(body)).digest("hex");

const canonicalJson = (body: object): string =>
  JSON.stringify(body, (_key, value: unknown) => {
    if (typeof value === "bigint") return value.toString();
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });
