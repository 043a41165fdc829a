export type { Backend, NameOrder, WeighedBackend } from "./backend.ts";
export { compareNames } from "./backend.ts";
export { encodeAddress, encodeAddressInto, IPV4_BYTES, IPV6_BYTES } from "./flow/address.ts";
export type { Destination } from "./flow/address.ts";
export { FlowHash } from "./flow/flow-hash.ts";
export type { FlowHashOptions } from "./flow/flow-hash.ts";
export {
  encodeFiveTuple,
  encodeFiveTupleInto,
  encodeSource,
  encodeSourceInto,
  MAX_FLOW_KEY_BYTES,
} from "./flow/flow-key.ts";
export type { Flow } from "./flow/flow-key.ts";
export { FlowTable } from "./flow/flow-table.ts";
export type { FlowTableCounters, FlowTableOptions } from "./flow/flow-table.ts";
export { jhash, scale } from "./hash/jhash.ts";
export { murmur3 } from "./hash/murmur3.ts";
export type { Hash128 } from "./hash/murmur3.ts";
export type { HashInput } from "./hash/text.ts";
export { xxHash32 } from "./hash/xxhash32.ts";
export { xxHash64 } from "./hash/xxhash64.ts";
export { chooseTableSize, isPrime, MAX_TABLE_SIZE, MIN_TABLE_SIZE, nearestPrimes } from "./primes.ts";
export type { NearestPrimes } from "./primes.ts";
export { compare } from "./report/compare.ts";
export type { BackendChange, DisruptionReport } from "./report/compare.ts";
export { evenness } from "./report/evenness.ts";
export type { EvennessReport } from "./report/evenness.ts";
export { CILIUM_DEFAULT_HASH_SEED, ciliumScheme, ciliumWeighting, createCiliumPermutation } from "./schemes/cilium.ts";
export { envoyPermutation, envoyScheme, envoyWeighting } from "./schemes/envoy.ts";
export {
  createKatranOrder,
  createKatranPermutation,
  createKatranScheme,
  katranV1Scheme,
  katranV1Weighting,
  katranV2Scheme,
  katranV2Weighting,
} from "./schemes/katran.ts";
export type { EndpointHash } from "./schemes/katran.ts";
export type { Claim, Permutation, PermutationOf, TableScheme, Weighting } from "./schemes/scheme.ts";
export { buildTable, createBuilder, TableBuilder } from "./table/builder.ts";
export type { BuilderOptions, TableOptions } from "./table/builder.ts";
export { slotsByteLength } from "./table/slots.ts";
export type { AllocateSlots, SlotArray } from "./table/slots.ts";
export { successor, withUsable } from "./table/succession.ts";
export type { Succession } from "./table/succession.ts";
export { MaglevTable, tableFromSlots } from "./table/table.ts";
export type { ViewOptions } from "./table/table.ts";
