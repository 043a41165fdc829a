import { type ActualLoadBalancer, isLeaving } from "./actual.ts";
import type { Desired, Wanted } from "./desired.ts";
import type { ObjectMeta } from "./objects.ts";
import { type Operation, PHASES } from "./operations.ts";
import { hasTags, loadBalancerName, MANAGED_BY, SERVICE_UID, serviceTags, type VipWish } from "./ownership.ts";
import { planEndpoints } from "./plan-backends.ts";
import { planPorts } from "./plan-ports.ts";
import { isServing } from "./status.ts";

/** What is planned for, and who plans. */
export interface PlanInput {
  readonly meta: ObjectMeta;
  /** Value of the tag `fiberlb.io/managed-by`; nothing without it is touched. */
  readonly owner: string;
  readonly wanted: Wanted;
  /** Load balancers that were made for a Service of this name. */
  readonly actual: readonly ActualLoadBalancer[];
  /** Addresses that the Service's status shows. */
  readonly shownIps: readonly string[];
}

/** What has to be done, in order of phases; nothing when all is as wanted. Pure. */
export function plan(input: PlanInput): readonly Operation[] {
  const { meta, owner, wanted } = input;
  const owned = input.actual.filter((one) => one.tags[MANAGED_BY] === owner && !isLeaving(one));
  const [mine, orphans] = partition(owned, (one) => one.tags[SERVICE_UID] === meta.uid);
  const operations = [...orphans.map(deletion), ...planService(input, mine)];
  return operations.toSorted((a, b) => a.phase - b.phase);

  function planService({ shownIps }: PlanInput, existing: readonly ActualLoadBalancer[]): readonly Operation[] {
    switch (wanted.kind) {
      case "nothing":
        return existing.map(deletion);
      case "endpoints":
        return existing.flatMap((one) => planEndpoints(wanted.ports, { meta, owner, actual: one }));
      case "load-balancer": {
        const { desired } = wanted;
        const current = currentOf(desired, { existing, shownIps });
        const others = existing.filter((one) => one !== current);
        // The address that clients know stays until the status shows its successor.
        const isReplaced = current !== undefined && isServing(current) && shownIps.includes(current.vipAddress);
        return [
          ...planLoadBalancer(desired, current, { meta, owner }),
          ...planPorts(desired.ports, { meta, owner, actual: current }),
          ...others.flatMap((one) =>
            isReplaced ? [deletion(one)] : planPorts(desired.ports, { meta, owner, actual: one }),
          ),
        ];
      }
    }
  }
}

/**
 * Of those that have the VIP that is asked for, the one whose address clients know, else the oldest; ids are in order of
 * creation.
 */
export function currentOf(
  wish: VipWish,
  { existing, shownIps }: { readonly existing: readonly ActualLoadBalancer[]; readonly shownIps: readonly string[] },
): ActualLoadBalancer | undefined {
  const fitting = existing.filter((one) => fits(wish, one)).toSorted((a, b) => (a.id < b.id ? -1 : 1));
  return fitting.find((one) => shownIps.includes(one.vipAddress)) ?? fitting[0];
}

/** Whether a load balancer has the VIP that is asked for. */
export const fits = (
  { vipAddress, vipPool }: VipWish,
  actual: Pick<ActualLoadBalancer, "vipAddress" | "vipPool">,
): boolean =>
  (vipAddress === undefined || actual.vipAddress === vipAddress) &&
  (vipPool === undefined || actual.vipPool === vipPool);

/** How a load balancer that is yet to be made is referred to. */
export const LOAD_BALANCER_REF = "loadBalancer";

function planLoadBalancer(
  { vipAddress, vipPool }: Desired,
  current: ActualLoadBalancer | undefined,
  { meta, owner }: Pick<PlanInput, "meta" | "owner">,
): readonly Operation[] {
  const tags = serviceTags(owner, meta);
  const label = `load balancer of ${meta.namespace}/${meta.name}`;
  const common = { kind: "loadBalancer", phase: PHASES.loadBalancer, label } as const;
  if (current === undefined) {
    const name = loadBalancerName(meta, { vipAddress, vipPool });
    const fields = {
      name,
      tags,
      ...(vipAddress !== undefined && { vipAddress }),
      ...(vipPool !== undefined && { vipPool }),
    };
    return [{ ...common, type: "create", ref: LOAD_BALANCER_REF, fields }];
  }
  if (hasTags(current.tags, tags)) return [];
  const { id, revision } = current;
  return [{ ...common, type: "update", id, revision, fields: { tags: { ...current.tags, ...tags } } }];
}

const deletion = ({ id, name }: ActualLoadBalancer): Operation => ({
  type: "delete",
  kind: "loadBalancer",
  phase: PHASES.loadBalancerDeletes,
  label: `load balancer ${name}`,
  id,
});

function partition<T>(items: readonly T[], test: (item: T) => boolean): [readonly T[], readonly T[]] {
  return [items.filter(test), items.filter((item) => !test(item))];
}
