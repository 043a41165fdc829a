import { alreadyExists, type DomainError, exhausted, type IpFamily } from "@fiberlb/types";

import type { VipRefusal } from "../vip/allocator.ts";
import { invalidField } from "./refusals.ts";

const FAMILY: Readonly<Record<IpFamily, string>> = { IPV4: "IPv4", IPV6: "IPv6" };

/** Says to the client why there is no address. Nothing about who has it. */
export function vipRefusal(refusal: VipRefusal): DomainError {
  switch (refusal.reason) {
    case "unknown-pool":
      return invalidField(
        "vip_pool",
        `must be the name of a VIP pool, and there is none called ${refusal.pool}; there is ${refusal.known.join(", ")}`,
        "UNKNOWN_REFERENCE",
      );
    case "not-in-pool": {
      const where = refusal.pool === undefined ? "a VIP pool" : `VIP pool ${refusal.pool}`;
      return invalidField("vip_address", `must be in ${where}, and ${refusal.address} is not`, "NOT_ALLOWED");
    }
    case "reserved":
      return invalidField(
        "vip_address",
        `must be a host's address, and ${refusal.address} is the network, broadcast or router address of a range of VIP pool ${refusal.pool}`,
        "NOT_ALLOWED",
      );
    case "in-use":
      return alreadyExists(`VIP ${refusal.address}`);
    case "wrong-family":
      return invalidField("vip_address", `must be an ${FAMILY[refusal.family]} address`, "INVALID_COMBINATION");
    case "no-pool-of-family": {
      const who = refusal.pool === undefined ? "no VIP pool assigns" : `VIP pool ${refusal.pool} has no`;
      return invalidField("ip_family", `cannot be had: ${who} ${FAMILY[refusal.family]} addresses`, "NOT_ALLOWED");
    }
    case "exhausted":
      return exhaustedPools(refusal);
  }
}

function exhaustedPools({ pools, family, retryAfterMs }: VipRefusal & { readonly reason: "exhausted" }): DomainError {
  const what = `VIP pool${pools.length > 1 ? "s" : ""} ${pools.join(", ")}`;
  const all = `all ${FAMILY[family]} addresses are in use`;
  if (retryAfterMs === undefined) return exhausted(what, all);
  return exhausted(
    what,
    `${all} or were given back a moment ago; the next is free in ${Math.ceil(retryAfterMs / 1000)} s`,
  );
}
