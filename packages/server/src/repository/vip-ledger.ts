import { prefixRange, type Store } from "@fiberlb/store";
import { type IpAddress, type IpFamily, ipFamily, ipToBigInt } from "@fiberlb/types";

import { AddressSet } from "../vip/address-set.ts";
import type { VipOccupancy } from "../vip/allocator.ts";
import type { ChangeFeed, KeyChange } from "./change-feed.ts";
import { decodeJson } from "./codec.ts";
import { addressOfKey, type Tenant, VIP_RELEASED_PREFIX, VIP_USED_PREFIX } from "./keys.ts";

/** Who uses a VIP. */
export interface VipUse extends Tenant {
  readonly loadBalancerId: string;
  /** Name of the VIP pool that it is of. */
  readonly pool: string;
}

/** When a VIP was given back. */
export interface VipRelease {
  readonly releasedAtMs: number;
}

/**
 * Which VIPs are in use or at rest, kept in memory so that choosing one reads nothing. It may lag behind the store: the
 * transaction that takes an address compares its key, and the loser tells the ledger and chooses again.
 */
export class VipLedger {
  readonly #store: Store;
  readonly #released = new Map<IpAddress, number>();
  readonly #used: Record<IpFamily, AddressSet> = { IPV4: new AddressSet(), IPV6: new AddressSet() };

  constructor(store: Store, feed: ChangeFeed) {
    this.#store = store;
    feed.subscribe({ onChange: (change) => this.#follow(change), onReload: () => this.reload() });
  }

  get occupancy(): VipOccupancy {
    return { used: this.#used, released: this.#released };
  }

  /** Reads everything afresh. */
  async reload(): Promise<void> {
    const used = await this.#store.range({ ...prefixRange(VIP_USED_PREFIX), keysOnly: true });
    const released = await this.#store.range(prefixRange(VIP_RELEASED_PREFIX));
    const addresses = used.kvs.map(({ key }) => addressOfKey(key));
    for (const family of ["IPV4", "IPV6"] as const) {
      this.#used[family] = new AddressSet(addresses.filter((address) => ipFamily(address) === family).map(ipToBigInt));
    }
    this.#released.clear();
    for (const { key, value } of released.kvs) {
      this.#released.set(addressOfKey(key), (decodeJson(value) as VipRelease).releasedAtMs);
    }
  }

  /** Somebody has it: seen in a lost race, before the watch tells, or just chosen by ourselves. */
  noteUsed(address: IpAddress): void {
    this.#used[ipFamily(address)].add(ipToBigInt(address));
  }

  noteFree(address: IpAddress): void {
    this.#used[ipFamily(address)].delete(ipToBigInt(address));
  }

  #follow({ type, kv }: KeyChange): void {
    if (kv.key.startsWith(VIP_USED_PREFIX)) {
      if (type === "put") this.noteUsed(addressOfKey(kv.key));
      else this.noteFree(addressOfKey(kv.key));
    } else if (kv.key.startsWith(VIP_RELEASED_PREFIX)) {
      if (type === "put") this.#released.set(addressOfKey(kv.key), (decodeJson(kv.value) as VipRelease).releasedAtMs);
      else this.#released.delete(addressOfKey(kv.key));
    }
  }
}
