import { createContextKey, type HandlerContext } from "@connectrpc/connect";
import { permissionDenied, type TenantContext } from "@fiberlb/types";

/** Set by the authentication interceptor before any handler runs. */
export const tenantKey = createContextKey<TenantContext | undefined>(undefined, { description: "fiberlb tenant" });

/** Whose resources the call is about. */
export function tenantOf(context: HandlerContext): TenantContext {
  const tenant = context.values.get(tenantKey);
  if (tenant === undefined) throw new Error(`Cannot serve ${context.method.name}: the call was not authenticated`);
  return tenant;
}

/** @throws DomainError `permission-denied` */
export function requireAdmin(context: HandlerContext): void {
  if (tenantOf(context).role !== "admin") throw permissionDenied(`call ${context.method.name}`, "role admin is needed");
}
