import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { createRequestSchemas } from "@fiberlb/api";
import { labelOf, type ResourceKind } from "@fiberlb/types";

import { infoOf } from "../kinds.ts";
import { fileName } from "./file-fields.ts";

/** A place in the file where resources of one kind stand. */
export interface Section {
  readonly kind: ResourceKind;
  /** Its key: `pools`. */
  readonly key: string;
  /** One resource instead of a list. */
  readonly single: boolean;
  /** Known by its name, which therefore must be there. */
  readonly named: boolean;
  /** Sections inside each of its resources. */
  readonly sections: readonly Section[];
}

interface SectionOptions {
  readonly single?: boolean;
  readonly named?: boolean;
  readonly sections?: readonly Section[];
}

const section = (kind: ResourceKind, key: string, options: SectionOptions = {}): Section => ({
  kind,
  key,
  single: false,
  named: false,
  sections: [],
  ...options,
});

const rules = section("l7Rule", "rules");
const policies = section("l7Policy", "policies", { sections: [rules] });
const backends = section("backend", "backends");
const healthCheck = section("healthCheck", "healthCheck", { single: true });

/** What a file can hold, from the top. */
export const fileSections: readonly Section[] = [
  section("vipPool", "vipPools", { named: true }),
  section("certificate", "certificates", { named: true }),
  section("loadBalancer", "loadBalancers", {
    named: true,
    sections: [
      section("pool", "pools", { named: true, sections: [healthCheck, backends] }),
      section("listener", "listeners", { named: true, sections: [policies] }),
    ],
  }),
];

/** The call's own fields, the parent, which the place in the file says, and a policy's position, which is its place. */
const NOT_IN_FILES = new Set(["request_id", "validate_only", "position"]);

/** Fields of a kind that a file can hold, by their name in the file. */
export function fileFields(kind: ResourceKind): ReadonlyMap<string, DescField> {
  const { parent } = infoOf(kind);
  const fields = createRequestSchemas[kind].fields.filter(
    ({ name, jsonName }) => !NOT_IN_FILES.has(name) && jsonName !== `${parent}Id`,
  );
  return new Map(fields.map((field) => [fileName(field), field]));
}

/** Fields whose text can stand in a file of its own, and the keys that name the file. */
export const FILE_KEYS: Readonly<Record<string, string>> = {
  certificateFile: "certificatePem",
  privateKeyFile: "privateKeyPem",
};

/** Every key that a resource of the section can have. */
export function knownKeys({ kind, sections }: Section): readonly string[] {
  const files = kind === "certificate" ? Object.keys(FILE_KEYS) : [];
  return [...fileFields(kind).keys(), ...files, ...sections.map(({ key }) => key)];
}

/** Keys of a message inside a resource. */
export const messageKeys = (schema: DescMessage): ReadonlyMap<string, DescField> =>
  new Map(schema.fields.filter(({ name }) => name !== "effective_table_size").map((field) => [fileName(field), field]));

/** `pool app`, for messages. */
export const describeKind = (kind: ResourceKind, name: string): string => `${labelOf(kind)} ${name}`.trimEnd();
