import {
  create,
  type DescMessage,
  fromBinary,
  fromJsonString,
  type Message,
  toBinary,
  toJson,
  toJsonString,
} from "@bufbuild/protobuf";
import { parseSpec, resourceKinds } from "@fiberlb/types";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import {
  createRequestSchemas,
  entityFromMessage,
  fromCreateRequest,
  fromMessage,
  resourceSchemas,
  toMessage,
} from "../src/index.ts";
import { entityOf, specInput } from "./arbitraries.ts";

const STATUS = { provisioningStatus: "ACTIVE", operatingStatus: "DEGRADED", statusReason: "1 of 2 backends is down" };

const wires: readonly (readonly [string, (schema: DescMessage, message: Message) => Message])[] = [
  ["binary", (schema, message) => fromBinary(schema, toBinary(schema, message))],
  ["JSON", (schema, message) => fromJsonString(schema, toJsonString(schema, message))],
];

describe.each(resourceKinds)("%s", (kind) => {
  const schema: DescMessage = resourceSchemas[kind];

  it.each(wires)("entity → message → %s → message → entity is the same", (_, wire) => {
    fc.assert(
      fc.property(entityOf(kind), ({ entity }) => {
        const received = wire(schema, toMessage(schema, entity));
        expect(entityFromMessage(kind, received as never)).toEqual(entity);
      }),
    );
  });

  it("answers carry every effective value, zeros and empty lists too", () => {
    const fields = new Set(schema.fields.map(({ jsonName }) => jsonName));
    fc.assert(
      fc.property(entityOf(kind), ({ entity }) => {
        const json = toJson(schema, toMessage(schema, entity), { alwaysEmitImplicit: true });
        const known = Object.entries(entity).filter(([name, value]) => value !== undefined && fields.has(name));
        expect(Object.keys(json as object)).toEqual(expect.arrayContaining(known.map(([name]) => name)));
      }),
    );
  });

  it.each(wires)("Create request → %s → spec is what parseSpec makes of the input", (_, wire) => {
    const request: DescMessage = createRequestSchemas[kind];
    fc.assert(
      fc.property(specInput(kind), (input) => {
        const received = wire(request, toMessage(request, input, { requestId: "r-1", validateOnly: true }));
        const { input: plain, requestId, validateOnly } = fromCreateRequest(request, received);
        expect(parseSpec(kind, plain)).toEqual(parseSpec(kind, input));
        expect({ requestId, validateOnly }).toEqual({ requestId: "r-1", validateOnly: true });
      }),
    );
  });

  it("an empty message is an object without fields", () => {
    expect(fromMessage(schema, create(schema))).toEqual({});
  });

  it("a status rides along where the message has one", () => {
    const hasStatus = schema.fields.some(({ name }) => name === "provisioning_status");
    fc.assert(
      fc.property(entityOf(kind), ({ entity }) => {
        const plain = fromMessage(schema, toMessage(schema, entity, STATUS));
        if (hasStatus) expect(plain).toMatchObject(STATUS);
        else expect(plain).not.toHaveProperty("provisioningStatus");
      }),
      { numRuns: 10 },
    );
  });
});
