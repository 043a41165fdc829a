import { invalid, ORG_HEADER, parseTenant, permissionDenied, PROJECT_HEADER, type TenantContext } from "@fiberlb/types";

/** Says who is calling. */
export interface Authenticator {
  /** Whether it asks for proof; one that does not is for loopback addresses only. */
  readonly isOpen: boolean;
  /** @throws DomainError `unauthenticated`, `permission-denied`, `unavailable`, or `invalid` with a header's name as the field */
  authenticate(headers: Headers): Promise<TenantContext>;
}

/** Whoever reaches the port is an admin of the project that the headers name, by default default/default. */
export const openAuthenticator: Authenticator = {
  isOpen: true,
  async authenticate(headers) {
    return checked({ orgId: headers.get(ORG_HEADER), projectId: headers.get(PROJECT_HEADER) }, "admin");
  },
};

/** The bearer token of a call; undefined without one. */
export function bearerToken(headers: Headers): string | undefined {
  const [, token] = /^Bearer +(\S+) *$/i.exec(headers.get("authorization") ?? "") ?? [];
  return token;
}

/**
 * The tenant that a caller acts for: an admin for whom the headers name (so a controller acts for many tenants), anybody else
 * for their own.
 */
export function actingTenant(caller: TenantContext, headers: Headers): TenantContext {
  const orgId = headers.get(ORG_HEADER) || caller.orgId;
  const projectId = headers.get(PROJECT_HEADER) || caller.projectId;
  const isOwn = orgId === caller.orgId && projectId === caller.projectId;
  if (!isOwn && caller.role !== "admin")
    throw permissionDenied(`act for ${orgId}/${projectId}`, `the token is of ${caller.orgId}/${caller.projectId}`);
  return checked({ orgId, projectId }, caller.role);
}

function checked(
  names: { orgId: string | null; projectId: string | null },
  role: TenantContext["role"],
): TenantContext {
  const tenant = parseTenant(names, role);
  if (!tenant.ok) throw invalid(tenant.violations);
  return tenant.value;
}
