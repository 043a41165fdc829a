import type { DescEnum, DescField, DescMessage } from "@bufbuild/protobuf";
import * as domain from "@fiberlb/types";
import { describe, expect, it } from "@jest/globals";

import * as api from "../src/index.ts";

const enums: readonly (readonly [DescEnum, readonly string[]])[] = [
  [api.ListenerProtocolSchema, domain.listenerProtocols],
  [api.PoolProtocolSchema, domain.poolProtocols],
  [api.PoolAlgorithmSchema, domain.poolAlgorithms],
  [api.SessionPersistenceTypeSchema, domain.sessionPersistenceTypes],
  [api.ProxyProtocolVersionSchema, domain.proxyProtocolVersions],
  [api.MaglevHashKeySchema, domain.maglevHashKeys],
  [api.PoolForwardingSchema, domain.poolForwardings],
  [api.OnBackendDownSchema, domain.onBackendDownActions],
  [api.BackendStatusSchema, domain.backendHealths],
  [api.HealthCheckTypeSchema, domain.healthCheckTypes],
  [api.L7PolicyActionSchema, domain.l7PolicyActions],
  [api.L7RuleTypeSchema, domain.l7RuleTypes],
  [api.L7CompareTypeSchema, domain.l7CompareTypes],
  [api.CertificateTypeSchema, domain.certificateTypes],
  [api.ClientAuthSchema, domain.clientAuths],
  [api.TlsVersionSchema, domain.tlsVersions],
  [api.ForwardedHeadersSchema, domain.forwardedHeaderModes],
  [api.PathNormalizationSchema, domain.pathNormalizations],
  [api.IpFamilySchema, domain.ipFamilies],
  [api.AnnounceKindSchema, domain.announceKinds],
  [api.WhenAllDownSchema, domain.whenAllDownActions],
  [api.ProvisioningStatusSchema, domain.provisioningStatuses],
  [api.OperatingStatusSchema, domain.operatingStatuses],
  [api.NodeStateSchema, domain.nodeStates],
];

/** `L7PolicyAction` → `L7_POLICY_ACTION`. */
const prefixOf = (desc: DescEnum): string =>
  desc.name.replace(/(?<=[a-z0-9])[A-Z]/g, (letter) => `_${letter}`).toUpperCase();

const isEnum = (value: unknown): value is DescEnum =>
  typeof value === "object" && value !== null && "kind" in value && value.kind === "enum";

describe("enums", () => {
  it.each(enums.map(([desc, values]) => [desc.name, desc, values] as const))(
    "%s has the domain's values in the domain's order, each with the prefix, and UNSPECIFIED as 0",
    (_, desc, values) => {
      const expected = ["UNSPECIFIED", ...values].map((value, number) => [`${prefixOf(desc)}_${value}`, number]);
      expect(desc.values.map(({ name, number }) => [name, number])).toEqual(expected);
    },
  );

  it("are all in the table above", () => {
    const inTable = new Set(enums.map(([desc]) => desc.name));
    const exported = Object.values<unknown>(api)
      .filter(isEnum)
      .map(({ name }) => name);
    expect(exported.length).toBe(enums.length);
    expect(exported.filter((name) => !inTable.has(name))).toEqual([]);
  });
});

/** Names of the fields that messages have and entities lack: what is computed on read. */
const COMPUTED = new Set([
  "provisioning_status",
  "operating_status",
  "status_reason",
  "status",
  "addresses_total",
  "addresses_used",
]);
/** Names of the fields that entities have and messages lack: what never leaves the server. */
const STORED_ONLY = new Set(["deleting_since", "draining_since", "sealed_private_key", "private_key_pem"]);

const names = (fields: readonly DescField[]): readonly string[] => fields.map(({ name }) => name);

describe.each(domain.resourceKinds)("fields of %s", (kind) => {
  it("Create takes just what the spec has", () => {
    const request = names(api.createRequestSchemas[kind].fields).filter(
      (name) => !/^(request_id|validate_only)$/.test(name),
    );
    const spec = [...domain.updatableFields(kind), ...domain.immutableFields(kind)];
    expect(request.toSorted()).toEqual(spec.toSorted());
  });

  it("the message carries just what the entity has and what is computed", () => {
    const message = names(api.resourceSchemas[kind].fields).filter((name) => !COMPUTED.has(name));
    const entity = domain.entityFields(kind).filter((name) => !STORED_ONLY.has(name));
    expect(message.toSorted()).toEqual(entity.toSorted());
  });

  it("fields of one name have one number in Create and in the message", () => {
    const numbers = new Map(api.resourceSchemas[kind].fields.map(({ name, number }) => [name, number]));
    for (const { name, number } of api.createRequestSchemas[kind].fields) {
      expect([name, numbers.get(name) ?? number]).toEqual([name, number]);
    }
  });
});

it("JSON names, local names and the domain's names of fields are one", () => {
  const schemas: readonly DescMessage[] = [
    ...Object.values(api.resourceSchemas),
    ...Object.values(api.createRequestSchemas),
    api.NodeSchema,
  ];
  for (const { name, jsonName, localName } of schemas.flatMap(({ fields }) => fields)) {
    expect([localName, jsonName]).toEqual([domain.toCamelCase(name), domain.toCamelCase(name)]);
    expect(domain.toSnakeCase(jsonName)).toBe(name);
  }
});
