import type { MessageInitShape } from "@bufbuild/protobuf";

import { StoreError } from "../errors.ts";
import type { DeleteRangeResponse, RangeResponse, RequestOpSchema, ResponseOp } from "../gen/etcd/etcd_pb.ts";
import type { DeleteOp, DeleteRangeOp, Op, OpResult, PutOp, RangeOptions, RangeResult } from "../store.ts";
import type { KeySpace } from "./key-space.ts";
import { leaseNumber } from "./lease-id.ts";
import { toKeyValue } from "./messages.ts";

/** One operation of a transaction, as etcd is asked for it and as its answer reads. */
export interface Step {
  /** Undefined when there is nothing to ask: a range that holds no key. */
  readonly request: MessageInitShape<typeof RequestOpSchema> | undefined;
  readonly result: (response: ResponseOp["response"]) => OpResult;
}

/** An operation, translated. */
export function toStep(op: Op, keys: KeySpace): Step {
  switch (op.type) {
    case "put":
      return putStep(op, keys);
    case "delete":
    case "deleteRange":
      return deleteStep(op, keys);
    case "get":
      return {
        request: { request: { case: "requestRange", value: { key: keys.encode(op.key) } } },
        result: (response) => {
          const kv = rangeResponse(response).kvs[0];
          return { type: "get", kv: kv && toKeyValue(kv, keys) };
        },
      };
    case "range": {
      const request = toReadRequest(op, keys);
      return {
        request: request && { request: { case: "requestRange", value: request } },
        result: (response) => ({ type: "range", ...(request ? toRange(rangeResponse(response), op, keys) : EMPTY) }),
      };
    }
  }
}

const EMPTY = { kvs: [], more: false, count: 0 };

/** A read as etcd takes it; of the newest revision. */
export interface ReadRequest {
  readonly key: Uint8Array;
  readonly rangeEnd?: Uint8Array;
  readonly limit?: bigint;
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
}

/** Undefined for a range that holds no key. */
export function toReadRequest(
  { start, end, limit = 0, keysOnly = false, countOnly = false }: RangeOptions,
  keys: KeySpace,
): ReadRequest | undefined {
  const range = keys.range({ start, end });
  return range && { ...range, limit: BigInt(limit), keysOnly, countOnly };
}

/** What a range held, by etcd's answer. */
export function toRange(
  { kvs, more, count }: RangeResponse,
  { countOnly = false }: Pick<RangeOptions, "countOnly">,
  keys: KeySpace,
): Pick<RangeResult, "kvs" | "more" | "count"> {
  if (countOnly) return { kvs: [], more: false, count: Number(count) };
  return { kvs: kvs.map((kv) => toKeyValue(kv, keys)), more, count: Number(count) };
}

function putStep({ key, value, lease, prevKv = false }: PutOp, keys: KeySpace): Step {
  const put = { key: keys.encode(key), value: new Uint8Array(value), lease: leaseNumber(lease), prevKv };
  return {
    request: { request: { case: "requestPut", value: put } },
    result: (response) => {
      const previous = response.case === "responsePut" ? response.value.prevKv : undefined;
      return previous ? { type: "put", prevKv: toKeyValue(previous, keys) } : { type: "put" };
    },
  };
}

function deleteStep(op: DeleteOp | DeleteRangeOp, keys: KeySpace): Step {
  const { type, prevKv = false } = op;
  const what = op.type === "delete" ? { key: keys.encode(op.key) } : keys.range(op);
  return {
    request: what && { request: { case: "requestDeleteRange", value: { ...what, prevKv } } },
    result: (response) => {
      const { deleted, prevKvs } = what ? deleteResponse(response) : { deleted: 0, prevKvs: [] };
      const previous = prevKv && { prevKvs: prevKvs.map((kv) => toKeyValue(kv, keys)) };
      return { type, deleted: Number(deleted), ...previous };
    },
  };
}

function rangeResponse(response: ResponseOp["response"]): RangeResponse {
  if (response.case === "responseRange") return response.value;
  throw misfit("a range", response.case);
}

function deleteResponse(response: ResponseOp["response"]): DeleteRangeResponse {
  if (response.case === "responseDeleteRange") return response.value;
  throw misfit("a deletion", response.case);
}

function misfit(asked: string, answered: string | undefined): StoreError {
  return new StoreError("UNAVAILABLE", `etcd answered ${asked} with ${answered ?? "nothing"}`);
}
