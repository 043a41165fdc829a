import type { ServiceImpl } from "@connectrpc/connect";
import type { ListenerService } from "@fiberlb/api";
import type { CertificateType, Violation } from "@fiberlb/types";

import type { Tenant } from "../repository/keys.ts";
import { createCrud, type RuleInput } from "./crud.ts";
import { poolFits } from "./fits.ts";
import { requireCertificate, requirePool } from "./references.ts";
import type { ServiceOptions } from "./service-options.ts";

export function listenerService(options: ServiceOptions): ServiceImpl<typeof ListenerService> {
  const rules = (input: RuleInput<"listener">): Promise<Violation[]> => listenerRules(options, input);
  const crud = createCrud({ kind: "listener", plural: "listeners", rules }, options);
  return {
    createListener: crud.create,
    getListener: crud.get,
    listListeners: crud.list,
    updateListener: crud.update,
    deleteListener: crud.delete,
  };
}

async function listenerRules(options: ServiceOptions, { tenant, wanted }: RuleInput<"listener">): Promise<Violation[]> {
  const { loadBalancerId, protocol, defaultPoolId, certificateIds, clientCaCertificateId } = wanted;
  const violations: Violation[] = [];
  if (defaultPoolId !== undefined) {
    const pool = await requirePool(options.repository, { tenant, loadBalancerId, id: defaultPoolId });
    violations.push(...poolFits("default_pool_id", { listener: protocol, pool: pool.protocol }));
  }
  for (const [index, id] of certificateIds.entries()) {
    violations.push(
      ...(await certificateIs(options, { tenant, id, type: "SERVER", field: `certificate_ids[${index}]` })),
    );
  }
  if (clientCaCertificateId !== undefined) {
    const field = "client_ca_certificate_id";
    violations.push(...(await certificateIs(options, { tenant, id: clientCaCertificateId, type: "CLIENT_CA", field })));
  }
  return violations;
}

interface CertificateUse {
  readonly tenant: Tenant;
  readonly id: string;
  readonly type: CertificateType;
  readonly field: string;
}

async function certificateIs(
  { repository }: ServiceOptions,
  { tenant, id, type, field }: CertificateUse,
): Promise<Violation[]> {
  const certificate = await requireCertificate(repository, { tenant, id });
  if (certificate.type === type) return [];
  return [
    {
      field,
      description: `must be a certificate of type ${type}, not ${certificate.type}`,
      reason: "INVALID_COMBINATION",
    },
  ];
}
