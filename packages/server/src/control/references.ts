import type { Certificate, L7Rule, Pool } from "@fiberlb/types";

import type { Stored } from "../repository/entity-reader.ts";
import type { Tenant } from "../repository/keys.ts";
import { entityNotFound } from "../repository/refusals.ts";
import type { Repository } from "../repository/repository.ts";

/**
 * The pool that a field refers to; it must be of the same load balancer.
 *
 * @throws DomainError `not-found`
 */
export async function requirePool(
  { reader }: Repository,
  { tenant, loadBalancerId, id }: { readonly tenant: Tenant; readonly loadBalancerId: string; readonly id: string },
): Promise<Pool> {
  const location = { kind: "pool", id, loadBalancerId, parentId: loadBalancerId } as const;
  const stored = await reader.at<"pool">(tenant, location);
  if (stored === undefined) throw entityNotFound("pool", id);
  return stored.entity;
}

/** @throws DomainError `not-found` */
export async function requireCertificate(
  { reader }: Repository,
  { tenant, id }: { readonly tenant: Tenant; readonly id: string },
): Promise<Certificate> {
  const stored = await reader.at<"certificate">(tenant, { kind: "certificate", id, loadBalancerId: "", parentId: "" });
  if (stored === undefined) throw entityNotFound("certificate", id);
  return stored.entity;
}

/** The listener that a policy is below. @throws DomainError `not-found` */
export async function requireListenerOf(
  { reader }: Repository,
  { tenant, location }: Stored,
): Promise<Stored<"listener">> {
  const { parentId: id, loadBalancerId } = location;
  const stored = await reader.at<"listener">(tenant, {
    kind: "listener",
    id,
    loadBalancerId,
    parentId: loadBalancerId,
  });
  if (stored === undefined) throw entityNotFound("listener", id);
  return stored;
}

/** More than a policy can sensibly have; each is judged for each request. */
const MAX_RULES_READ = 10_000;

/** A policy's rules. */
export async function rulesOf(repository: Repository, tenant: Tenant, policyId: string): Promise<L7Rule[]> {
  const query = { tenant, kind: "l7Rule", parentId: policyId, tags: {}, limit: MAX_RULES_READ } as const;
  const { items } = await repository.list(query);
  return items.map(({ entity }) => entity);
}
