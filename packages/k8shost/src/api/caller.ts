import { createContextKey, type HandlerContext, type Interceptor } from "@connectrpc/connect";
import { permissionDenied, type TenantContext } from "@fiberlb/types";

import type { Authenticator } from "../auth/authenticator.ts";

const callerKey = createContextKey<TenantContext | undefined>(undefined, { description: "k8shost caller" });

/** Knows every call's tenant before its handler runs. Services in `open` need none. */
export function callerInterceptor(authenticator: Authenticator, open: ReadonlySet<string>): Interceptor {
  return (next) => async (req) => {
    if (!open.has(req.service.typeName)) req.contextValues.set(callerKey, await authenticator.authenticate(req.header));
    return next(req);
  };
}

/** Whose objects the call is about. */
export function callerOf(context: HandlerContext): TenantContext {
  const caller = context.values.get(callerKey);
  if (caller === undefined) throw new Error(`Cannot serve ${context.method.name}: the call was not authenticated`);
  return caller;
}

/** @throws DomainError `permission-denied` */
export function requireAdmin(context: HandlerContext, action = `call ${context.method.name}`): void {
  if (callerOf(context).role !== "admin") throw permissionDenied(action, "role admin is needed");
}
