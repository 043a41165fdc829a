import { createHash } from "node:crypto";

import { inRange } from "@fiberlb/store";
import { invalid, type Violation } from "@fiberlb/types";

import { type Scope, scopeRange } from "./keys.ts";
import type { HostObject, Kind } from "./kinds.ts";

/** Largest page that a List answers. */
const MAX_PAGE_SIZE = 1000;
const DEFAULT_PAGE_SIZE = 100;

/** Where a list goes on: after which key, as of which revision. */
export interface Position {
  readonly afterKey: string;
  readonly revision: number;
}

/** @throws DomainError `invalid` */
export function pageSizeOf(asked: number): number {
  if (asked <= MAX_PAGE_SIZE) return asked === 0 ? DEFAULT_PAGE_SIZE : asked;
  throw refused({
    field: "page_size",
    reason: "OUT_OF_RANGE",
    description: `must be at most ${MAX_PAGE_SIZE}, not ${asked}`,
  });
}

/** Opaque to clients. The question is in it, so that it is not used with another one. */
export function encodePageToken({ afterKey, revision }: Position, question: string): string {
  return Buffer.from(JSON.stringify([afterKey, revision, digest(question)])).toString("base64url");
}

/** @throws DomainError `invalid` when it is no token of ours, or one of another list */
export function decodePageToken(
  token: string,
  { kind, scope, question }: { readonly kind: Kind<HostObject>; readonly scope: Scope; readonly question: string },
): Position | undefined {
  if (token === "") return undefined;
  const parts = parseToken(token);
  // A key outside the range would answer what the caller may not see.
  if (parts === undefined || !inRange(parts.afterKey, scopeRange(kind, scope)))
    throw refused({
      field: "page_token",
      reason: "INVALID_FORMAT",
      description: "must be a next_page_token that a List answered",
    });
  if (parts.digest !== digest(question))
    throw refused({
      field: "page_token",
      reason: "INVALID_COMBINATION",
      description: "belongs to a List with other filters: keep them the same from page to page",
    });
  return parts;
}

function parseToken(token: string): (Position & { readonly digest: string }) | undefined {
  try {
    const parts: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
    if (!Array.isArray(parts)) return undefined;
    const [afterKey, revision, asked] = parts as unknown[];
    if (typeof afterKey !== "string" || typeof asked !== "string" || !Number.isSafeInteger(revision)) return undefined;
    return (revision as number) < 1 ? undefined : { afterKey, revision: revision as number, digest: asked };
  } catch {
    return undefined;
  }
}

const digest = (question: string): string => createHash("sha256").update(question).digest("base64url").slice(0, 16);

const refused = (violation: Violation): Error => invalid([violation]);
