import type { ServiceImpl } from "@connectrpc/connect";
import {
  createRequestSchemas,
  fieldMaskPaths,
  fromCreateRequest,
  fromMessage,
  toMessage,
  type VipPool as VipPoolMessage,
  VipPoolSchema,
  type VipPoolService,
} from "@fiberlb/api";
import { invalid, parseSpec, type VipPool } from "@fiberlb/types";

import { requireAdmin } from "./auth/tenant.ts";
import { decodePageToken, encodePageToken, pageSizeOf } from "./paging.ts";
import { listViolations, requestIdViolations, updateViolations } from "./request-checks.ts";
import type { ServiceOptions } from "./service-options.ts";

/** VIP pools belong to the installation: only admins may see and change them. */
export function vipPoolService({ repository: { vipPools } }: ServiceOptions): ServiceImpl<typeof VipPoolService> {
  const present = async (pools: readonly VipPool[]): Promise<VipPoolMessage[]> => {
    const fillings = await vipPools.fillings(pools);
    return pools.map((pool) => toMessage(VipPoolSchema, pool, fillings.get(pool.name) ?? {}));
  };
  const answer = async (pool: VipPool): Promise<{ vipPool: VipPoolMessage }> => {
    const [vipPool] = await present([pool]);
    return { vipPool: vipPool as VipPoolMessage };
  };
  return {
    async createVipPool(request, context) {
      requireAdmin(context);
      const { input, requestId, validateOnly } = fromCreateRequest(createRequestSchemas.vipPool, request);
      const parsed = parseSpec("vipPool", input);
      const violations = [...(parsed.ok ? [] : parsed.violations), ...requestIdViolations(requestId)];
      if (!parsed.ok || violations.length > 0) throw invalid(violations);
      return answer(await vipPools.create(parsed.value, { validateOnly }));
    },
    async getVipPool({ id }, context) {
      requireAdmin(context);
      return answer((await vipPools.require(id)).pool);
    },
    async listVipPools(request, context) {
      requireAdmin(context);
      const violations = listViolations({ ...request, tags: {} }, undefined);
      if (violations.length > 0) throw invalid(violations);
      const query = { kind: "vipPool", name: request.name };
      const afterId = decodePageToken(request.pageToken, query) ?? "";
      const all = (await vipPools.list()).filter(
        ({ id, name }) => id > afterId && (request.name === "" || name === request.name),
      );
      const page = all.slice(0, pageSizeOf(request.pageSize));
      const last = page.at(-1);
      const more = last !== undefined && page.length < all.length;
      return { vipPools: await present(page), nextPageToken: more ? encodePageToken(last.id, query) : "" };
    },
    async updateVipPool({ vipPool, updateMask, validateOnly }, context) {
      requireAdmin(context);
      const mask = fieldMaskPaths(updateMask);
      const violations = updateViolations("vip_pool", vipPool?.id, mask);
      if (vipPool === undefined || violations.length > 0) throw invalid(violations);
      const revision = vipPool.revision === 0n ? undefined : Number(vipPool.revision);
      const patch = fromMessage(VipPoolSchema, vipPool);
      return answer(await vipPools.update({ id: vipPool.id, revision, patch, mask, validateOnly }));
    },
    async deleteVipPool({ id, validateOnly }, context) {
      requireAdmin(context);
      await vipPools.remove(id, { validateOnly });
      return {};
    },
  };
}
