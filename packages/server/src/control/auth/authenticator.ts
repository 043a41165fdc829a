import { invalid, ORG_HEADER, parseTenant, PROJECT_HEADER, type TenantContext } from "@fiberlb/types";

/** Says who is calling. */
export interface Authenticator {
  /** @throws DomainError `unauthenticated`, `permission-denied`, or `invalid` with the header's name as the field */
  authenticate(headers: Headers): Promise<TenantContext>;
}

/** `auth: none`: whoever reaches the port is an admin of the project that the headers name, by default default/default. */
export const openAuthenticator: Authenticator = {
  async authenticate(headers) {
    const names = { orgId: headers.get(ORG_HEADER), projectId: headers.get(PROJECT_HEADER) };
    const tenant = parseTenant(names, "admin");
    if (!tenant.ok) throw invalid(tenant.violations);
    return tenant.value;
  },
};
