import type { ServiceImpl } from "@connectrpc/connect";
import type { PoolService } from "@fiberlb/api";
import type { Violation } from "@fiberlb/types";

import { createCrud, type RuleInput } from "./crud.ts";
import { requireCertificate } from "./references.ts";
import type { ServiceOptions } from "./service-options.ts";

export function poolService(options: ServiceOptions): ServiceImpl<typeof PoolService> {
  const rules = (input: RuleInput<"pool">): Promise<Violation[]> => poolRules(options, input);
  const crud = createCrud({ kind: "pool", plural: "pools", rules }, options);
  return {
    createPool: crud.create,
    getPool: crud.get,
    listPools: crud.list,
    updatePool: crud.update,
    deletePool: crud.delete,
  };
}

async function poolRules({ repository }: ServiceOptions, { tenant, wanted }: RuleInput<"pool">): Promise<Violation[]> {
  const { caCertificateId, clientCertificateId } = wanted.backendTls ?? {};
  const violations: Violation[] = [];
  const uses = [
    { id: caCertificateId, type: "CLIENT_CA", field: "backend_tls.ca_certificate_id" },
    { id: clientCertificateId, type: "SERVER", field: "backend_tls.client_certificate_id" },
  ] as const;
  for (const { id, type, field } of uses) {
    if (id === undefined) continue;
    const certificate = await requireCertificate(repository, { tenant, id });
    if (certificate.type === type) continue;
    const why = type === "SERVER" ? "one with a private key" : "an authority without one";
    violations.push({
      field,
      description: `must be a certificate of type ${type}, ${why}`,
      reason: "INVALID_COMBINATION",
    });
  }
  return violations;
}
