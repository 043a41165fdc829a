import { tenantName } from "./resource.ts";
import type { CheckResult, Violation } from "./result.ts";

/** Admins may act for every tenant and on what belongs to none. */
export const roles = ["admin", "member"] as const;
/** What a caller may do. */
export type Role = (typeof roles)[number];

/** Whose resources a call is about, and what the caller may do. */
export interface TenantContext {
  readonly orgId: string;
  readonly projectId: string;
  readonly role: Role;
}

/** Organisation and project of a call that names none. */
export const DEFAULT_TENANT_NAME = "default";
/** Header that names the organisation. */
export const ORG_HEADER = "x-org-id";
/** Header that names the project. */
export const PROJECT_HEADER = "x-project-id";

/** The names as the headers or a token gave them. */
export interface TenantNames {
  readonly orgId?: string | null | undefined;
  readonly projectId?: string | null | undefined;
}

const schema = tenantName();

/** Checks the names and fills absent and empty ones with `default`. */
export function parseTenant(names: TenantNames, role: Role): CheckResult<TenantContext> {
  const orgId = names.orgId || DEFAULT_TENANT_NAME;
  const projectId = names.projectId || DEFAULT_TENANT_NAME;
  const violations = [...checkName(ORG_HEADER, orgId), ...checkName(PROJECT_HEADER, projectId)];
  return violations.length > 0 ? { ok: false, violations } : { ok: true, value: { orgId, projectId, role } };
}

function checkName(field: string, name: string): readonly Violation[] {
  const issue = schema.safeParse(name).error?.issues[0];
  return issue === undefined ? [] : [{ field, description: issue.message, reason: "INVALID_FORMAT" }];
}
