import type { ServiceImpl } from "@connectrpc/connect";
import type { ListenerService } from "@fiberlb/api";
import { type CertificateType, cidrMisfits, type Violation } from "@fiberlb/types";

import type { Stored } from "../repository/entity-reader.ts";
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

async function listenerRules(
  options: ServiceOptions,
  { tenant, wanted, parent }: RuleInput<"listener">,
): Promise<Violation[]> {
  const { vipAddress } = (parent as Stored<"loadBalancer">).entity;
  const { loadBalancerId, protocol, defaultPoolId, certificateIds, clientCaCertificateId } = wanted;
  const violations = tooMany(certificateIds.length);
  if (violations.length > 0) return violations;
  violations.push(...cidrMisfits("proxy_protocol_trusted_cidrs", wanted.proxyProtocolTrustedCidrs, vipAddress));
  // Behind a proxy clients may be of the other family.
  if (!wanted.acceptProxyProtocol) violations.push(...cidrMisfits("allowed_cidrs", wanted.allowedCidrs, vipAddress));
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

/** Each reference takes three of the 128 operations of a transaction when all are exchanged for others. */
const MAX_CERTIFICATES = 32;

function tooMany(certificates: number): Violation[] {
  if (certificates <= MAX_CERTIFICATES) return [];
  const description = `must have at most ${MAX_CERTIFICATES} entries, not ${certificates}`;
  return [{ field: "certificate_ids", description, reason: "TOO_MANY" }];
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
