import { createRequestSchemas } from "@fiberlb/api";
import { type CheckResult, parseSpec, type ResourceKind } from "@fiberlb/types";

import { infoOf } from "../kinds.ts";
import { type Fields, type NameOf, toIds, toNames } from "./file-fields.ts";

/** Ids for names, so that a spec can be checked before anything exists. */
export class Placeholders {
  readonly #ids = new Map<string, string>();
  readonly #names = new Map<string, string>();

  /** The same for the same name. */
  idOf(kind: ResourceKind, name: string): string {
    const key = `${kind} ${name}`;
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const id = `${PREFIX}${this.#ids.size.toString(16).padStart(12, "0")}`;
    this.#ids.set(key, id);
    this.#names.set(id, name);
    return id;
  }

  /** The name that the id stands for; another id as it is. */
  nameOf(id: string): string {
    return this.#names.get(id) ?? id;
  }

  /** A text with names, quoted, for the ids in it. */
  inWords(text: string): string {
    return text.replaceAll(PATTERN, (id) => JSON.stringify(this.nameOf(id)));
  }
}

const PREFIX = "00000000-0000-7000-8000-";
const PATTERN = /00000000-0000-7000-8000-[0-9a-f]{12}/g;

/** Keys are never given back, so that a file may leave out that of a certificate that is there already. */
const STAND_IN_KEY = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n";

/** A resource's fields as a file has them, checked and with every default. */
export function effectiveFields(kind: ResourceKind, given: Fields, placeholders: Placeholders): CheckResult<Fields> {
  const { parent } = infoOf(kind);
  const standIn = parent === undefined ? {} : { [`${parent}Id`]: placeholders.idOf(parent, "") };
  const lacksKey = kind === "certificate" && given["type"] === "SERVER" && given["privateKeyPem"] === undefined;
  const spec = toIds(createRequestSchemas[kind], given, (referenced, name) => placeholders.idOf(referenced, name));
  const parsed = parseSpec(kind, { ...spec, ...standIn, ...(lacksKey && { privateKeyPem: STAND_IN_KEY }) });
  if (!parsed.ok) return parsed;
  const fields = ownFields(kind, parsed.value, (_kind, id) => placeholders.nameOf(id));
  const { privateKeyPem: _, ...withoutKey } = fields;
  return { ok: true, value: lacksKey ? withoutKey : fields };
}

/** What a file can say of a resource: all but its parent and a policy's position, with names for ids. */
export function ownFields(kind: ResourceKind, spec: object, nameOf: NameOf): Fields {
  const { position: _, [`${infoOf(kind).parent}Id`]: __, ...own } = spec as Record<string, unknown>;
  return toNames(createRequestSchemas[kind], own, nameOf);
}
