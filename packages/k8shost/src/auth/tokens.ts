import { createHash } from "node:crypto";

import { parseTenant, type Role, roles, type TenantContext, unauthenticated } from "@fiberlb/types";

import { actingTenant, type Authenticator, bearerToken } from "./authenticator.ts";

/** How a token stands in the file: lower-case hex of its SHA-256, so that the file gives no access to who reads it. */
export const hashToken = (token: string): string => createHash("sha256").update(token).digest("hex");

/**
 * Tokens from a text of lines `<sha256> <org> <project> <admin|member>`; empty lines and what follows `#` are ignored.
 * @throws Error that names every bad line, but not what is in it
 */
export function createTokenAuthenticator(text: string, { source }: { readonly source: string }): Authenticator {
  const callers = parseTokens(text, source);
  return {
    isOpen: false,
    async authenticate(headers) {
      const token = bearerToken(headers);
      if (token === undefined)
        throw unauthenticated("A bearer token is needed: send it as authorization: Bearer <token>");
      // Looked up by its hash: how long that takes says nothing about other tokens.
      const caller = callers.get(hashToken(token));
      if (caller === undefined) throw unauthenticated("The bearer token is not known here");
      return actingTenant(caller, headers);
    },
  };
}

function parseTokens(text: string, source: string): ReadonlyMap<string, TenantContext> {
  const callers = new Map<string, TenantContext>();
  const problems: string[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const words = line.replace(/#.*$/, "").trim();
    if (words === "") continue;
    const entry = parseLine(words.split(/\s+/));
    if (typeof entry === "string") problems.push(`line ${index + 1}: ${entry}`);
    else if (callers.has(entry.hash)) problems.push(`line ${index + 1}: the same token is there twice`);
    else callers.set(entry.hash, entry.caller);
  }
  if (problems.length > 0) throw new Error(`Cannot use the tokens of ${source}: ${problems.join("; ")}`);
  if (callers.size === 0) throw new Error(`Cannot use the tokens of ${source}: there is none, so nobody could call`);
  return callers;
}

function parseLine(words: readonly string[]): { readonly hash: string; readonly caller: TenantContext } | string {
  const [hash = "", orgId, projectId, role = ""] = words;
  if (words.length !== 4) return "must have four words: SHA-256 of the token, organisation, project, role";
  if (!/^[0-9a-f]{64}$/.test(hash)) return "must begin with 64 hex digits, the SHA-256 of the token";
  if (!(roles as readonly string[]).includes(role)) return `the role must be one of ${roles.join(", ")}`;
  const tenant = parseTenant({ orgId, projectId }, role as Role);
  if (!tenant.ok)
    return tenant.violations.map(({ description }) => `organisation and project ${description}`).join("; ");
  return { hash, caller: tenant.value };
}
