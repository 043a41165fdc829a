import { parseId } from "@fiberlb/types";

import { invalidField } from "../repository/refusals.ts";
import { bodyHash } from "./body-hash.ts";

const DEFAULT_PAGE_SIZE = 100;

export const pageSizeOf = (asked: number): number => (asked === 0 ? DEFAULT_PAGE_SIZE : asked);

/** Opaque to clients: where the page ended, and for which question, so that a token is not used for another. */
export function encodePageToken(afterId: string, query: object): string {
  return Buffer.from(`${afterId} ${questionOf(query)}`).toString("base64url");
}

/** @throws DomainError `invalid` when it is no token of ours, or one of another question */
export function decodePageToken(token: string, query: object): string | undefined {
  if (token === "") return undefined;
  const [afterId = "", question] = Buffer.from(token, "base64url").toString().split(" ");
  if (!parseId(afterId).ok) throw invalidField("page_token", "must be a next_page_token that a List answered");
  if (question !== questionOf(query)) {
    throw invalidField("page_token", "belongs to a List with other filters: keep them the same from page to page");
  }
  return afterId;
}

const questionOf = (query: object): string => bodyHash(query).slice(0, 16);

/** Of lists in order of names. */
export const encodeNamePageToken = (name: string): string => Buffer.from(`name ${name}`).toString("base64url");

/** @throws DomainError `invalid` when it is no token of ours */
export function decodeNamePageToken(token: string): string | undefined {
  if (token === "") return undefined;
  const text = Buffer.from(token, "base64url").toString();
  if (!text.startsWith("name ")) throw invalidField("page_token", "must be a next_page_token that a List answered");
  return text.slice("name ".length);
}
