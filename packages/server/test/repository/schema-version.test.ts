import { createMemoryStore, put, type Store } from "@fiberlb/store";
import { afterEach, beforeEach, expect, test } from "@jest/globals";

import { checkSchema, NewerStoreError } from "../../src/repository/schema-version.ts";

let store: Store;
beforeEach(() => {
  store = createMemoryStore();
});
afterEach(() => store.close());

const marked = async (): Promise<unknown> => {
  const { kv } = await store.get("/lb/v1/schema");
  return kv === undefined ? undefined : JSON.parse(Buffer.from(kv.value).toString());
};
const mark = (schema: object) => store.txn({ success: [put("/lb/v1/schema", Buffer.from(JSON.stringify(schema)))] });

test("a new store is marked once, whoever is first", async () => {
  await Promise.all([checkSchema(store), checkSchema(store), checkSchema(store)]);
  const { revision } = await store.status();
  await checkSchema(store);
  expect(await marked()).toEqual({ version: 1, readableBy: 1 });
  expect((await store.status()).revision).toBe(revision);
});

test("one that the next release writes, and that this one may read, is left as it is", async () => {
  await mark({ version: 2, readableBy: 1 });
  await checkSchema(store);
  expect(await marked()).toEqual({ version: 2, readableBy: 1 });
});

test("one that is too new is refused, with its version and what to do", async () => {
  await mark({ version: 3, readableBy: 2 });
  await expect(checkSchema(store)).rejects.toThrow(NewerStoreError);
  await expect(checkSchema(store)).rejects.toThrow(
    "written it in schema version 3, which takes a release that knows version 2; this one knows 1. Upgrade this node",
  );
});
