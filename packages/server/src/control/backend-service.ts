import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  type BackendService,
  DeregisterBackendRequestSchema,
  fromMessage,
  type RegisterBackendRequest,
  RegisterBackendRequestSchema,
} from "@fiberlb/api";
import {
  type BackendSpec,
  DEFAULT_REGISTRATION_TTL_S,
  DomainError,
  type DomainErrorKind,
  formatHostPort,
  invalid,
  isIpHost,
  notFound,
  parseSpec,
  rangeMatcher,
  type Violation,
} from "@fiberlb/types";

import type { Stored } from "../repository/entity-reader.ts";
import type { Tenant } from "../repository/keys.ts";
import { tenantOf } from "./auth/tenant.ts";
import { createCrud, type RuleInput } from "./crud.ts";
import type { ServiceOptions } from "./service-options.ts";

export function backendService(options: ServiceOptions): ServiceImpl<typeof BackendService> {
  const { repository, presenter } = options;
  const isDenied = rangeMatcher(options.deniedCidrs);
  const rules = async ({ wanted }: RuleInput<"backend">): Promise<Violation[]> => addressRules(isDenied, wanted);
  const crud = createCrud({ kind: "backend", plural: "backends", rules }, options);
  return {
    createBackend: crud.create,
    getBackend: crud.get,
    listBackends: crud.list,
    updateBackend: crud.update,
    deleteBackend: crud.delete,
    async registerBackend(request, context) {
      const spec = registrationSpec(request);
      const violations = addressRules(isDenied, spec);
      if (violations.length > 0) throw invalid(violations);
      const stored = await createOrRenew(options, { request, spec, tenant: tenantOf(context) });
      // Answers at once for a renewal, which every node has applied long ago.
      await presenter.waitUntilActive(stored);
      const [backend] = await presenter.present("backend", [stored]);
      return backend === undefined ? {} : { backend };
    },
    async deregisterBackend(request, context) {
      const { poolId, address, port } = checkedSpec(fromMessage(DeregisterBackendRequestSchema, request));
      const tenant = await ownPool(options, context, poolId);
      const stored = await repository.backendAt(tenant, { poolId, address, port });
      if (stored === undefined) throw notFound(`backend of pool ${poolId}`, formatHostPort(address, port));
      await repository.deregisterBackend(stored);
      return {};
    },
  };
}

/** Names are judged when they are resolved, by whoever connects. */
function addressRules(
  isDenied: ReturnType<typeof rangeMatcher>,
  { address, monitorAddress }: BackendSpec,
): Violation[] {
  const given = [
    { field: "address", host: address },
    { field: "monitor_address", host: monitorAddress },
  ];
  return given.flatMap(({ field, host }) =>
    host !== undefined && isIpHost(host) && isDenied(host)
      ? [
          {
            field,
            description: `must not be in a network that backends.deniedCidrs forbids: ${host}`,
            reason: "ADDRESS_DENIED",
          },
        ]
      : [],
  );
}

function registrationSpec(request: RegisterBackendRequest): BackendSpec {
  const { ttlS = DEFAULT_REGISTRATION_TTL_S, ...given } = fromMessage(RegisterBackendRequestSchema, request);
  const endless: Violation = {
    field: "ttl_s",
    description: "must be at least 1: a registration ends",
    reason: "OUT_OF_RANGE",
  };
  return checkedSpec({ ...given, ttlS }, ttlS === 0 ? [endless] : []);
}

function checkedSpec(input: object, more: readonly Violation[] = []): BackendSpec {
  const parsed = parseSpec("backend", input);
  const violations = [...(parsed.ok ? [] : parsed.violations), ...more];
  if (!parsed.ok || violations.length > 0) throw invalid(violations);
  return parsed.value;
}

/** The pool must be the tenant's, whatever stands in it. @throws DomainError `not-found` */
async function ownPool({ repository }: ServiceOptions, context: HandlerContext, poolId: string): Promise<Tenant> {
  const tenant = tenantOf(context);
  await repository.get(tenant, "pool", poolId);
  return tenant;
}

interface Registration {
  readonly tenant: Tenant;
  readonly request: RegisterBackendRequest;
  readonly spec: BackendSpec;
}

async function createOrRenew(options: ServiceOptions, registration: Registration): Promise<Stored<"backend">> {
  const { repository } = options;
  const tenant: Tenant = { orgId: registration.tenant.orgId, projectId: registration.tenant.projectId };
  const { spec } = registration;
  const known = await repository.backendAt(tenant, spec);
  if (known !== undefined) {
    try {
      return await renew(options, { ...registration, tenant }, known);
    } catch (error) {
      // It had drained and went this moment: the program is here again.
      if (!isOfKind(error, "not-found")) throw error;
    }
  }
  try {
    return (await repository.create({ tenant, kind: "backend", spec, validateOnly: false })).stored;
  } catch (error) {
    // Somebody registered the same address a moment ago; if it is only the name that is taken, the error stands.
    const racing = isOfKind(error, "already-exists") ? await repository.backendAt(tenant, spec) : undefined;
    if (racing === undefined) throw error;
    return renew(options, { ...registration, tenant }, racing);
  }
}

const isOfKind = (error: unknown, kind: DomainErrorKind): boolean =>
  error instanceof DomainError && error.kind === kind;

/** A renewal changes what it names; a weight that it does not name stays as an operator may have set it. */
async function renew(
  { repository }: ServiceOptions,
  { tenant, request, spec }: Registration,
  known: Stored<"backend">,
): Promise<Stored<"backend">> {
  if (known.entity.ttlS === 0) return known;
  const mask = ["ttl_s", "metadata", ...(request.weight === undefined ? [] : ["weight"])];
  const update = { tenant, kind: "backend", id: known.location.id, patch: spec, mask, validateOnly: false } as const;
  const { stored } = await repository.update(update);
  return repository.renewBackend(stored);
}
