import type { MessageInitShape } from "@bufbuild/protobuf";

import {
  Compare_CompareResult,
  Compare_CompareTarget,
  type CompareSchema,
  type Event,
  Event_EventType,
  type KeyValue as EtcdKeyValue,
} from "../gen/etcd/etcd_pb.ts";
import type { Compare, KeyValue, Relation, WatchEvent } from "../store.ts";
import type { KeySpace } from "./key-space.ts";
import { leaseNumber, toLeaseId } from "./lease-id.ts";

const NOTHING = new Uint8Array(0);

const RESULTS = {
  "=": Compare_CompareResult.EQUAL,
  "!=": Compare_CompareResult.NOT_EQUAL,
  "<": Compare_CompareResult.LESS,
  ">": Compare_CompareResult.GREATER,
} as const satisfies Record<Relation, Compare_CompareResult>;

/** A key of etcd's as the store's contract has it. */
export function toKeyValue(kv: EtcdKeyValue, keys: KeySpace): KeyValue {
  return {
    key: keys.decode(kv.key),
    value: kv.value,
    createRevision: Number(kv.createRevision),
    modRevision: Number(kv.modRevision),
    version: Number(kv.version),
    ...(kv.lease !== 0n && { lease: toLeaseId(kv.lease) }),
  };
}

/** An event of etcd's as the store's contract has it. */
export function toWatchEvent({ type, kv, prevKv }: Event & { kv: EtcdKeyValue }, keys: KeySpace): WatchEvent {
  const previous = prevKv && { prevKv: toKeyValue(prevKv, keys) };
  if (type === Event_EventType.PUT) return { type: "put", kv: toKeyValue(kv, keys), ...previous };
  const modRevision = Number(kv.modRevision);
  const deleted = { key: keys.decode(kv.key), value: NOTHING, createRevision: 0, modRevision, version: 0 };
  return { type: "delete", kv: deleted, ...previous };
}

/** A comparison as etcd takes it. */
export function toCompare(comparison: Compare, keys: KeySpace): MessageInitShape<typeof CompareSchema> {
  const shared = { result: RESULTS[comparison.is], key: keys.encode(comparison.key) };
  switch (comparison.target) {
    case "value":
      return {
        ...shared,
        target: Compare_CompareTarget.VALUE,
        targetUnion: { case: "value", value: new Uint8Array(comparison.to) },
      };
    case "lease":
      return {
        ...shared,
        target: Compare_CompareTarget.LEASE,
        targetUnion: { case: "lease", value: leaseNumber(comparison.to) },
      };
    case "version":
      return {
        ...shared,
        target: Compare_CompareTarget.VERSION,
        targetUnion: { case: "version", value: BigInt(comparison.to) },
      };
    case "createRevision":
      return {
        ...shared,
        target: Compare_CompareTarget.CREATE,
        targetUnion: { case: "createRevision", value: BigInt(comparison.to) },
      };
    case "modRevision":
      return {
        ...shared,
        target: Compare_CompareTarget.MOD,
        targetUnion: { case: "modRevision", value: BigInt(comparison.to) },
      };
  }
}
