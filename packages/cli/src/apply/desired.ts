import { createRequestSchemas } from "@fiberlb/api";
import { formatHostPort, nearestName, parseSpec, type ResourceKind, toCamelCase, type Violation } from "@fiberlb/types";

import { type FileFault, isRecord } from "../fields/check-keys.ts";
import { type Fields, toIds, toNames } from "./file-fields.ts";
import { readFields } from "./read-fields.ts";
import type { InputFile } from "./read-file.ts";
import { fileSections, type Section } from "./schema.ts";

/** A resource that the file declares. */
export interface Desired {
  readonly kind: ResourceKind;
  /** Where it stands: `loadBalancers[0].pools[1]`. */
  readonly where: string;
  /** What it is called in plans: its name, a backend's address and port, a policy's place. */
  readonly title: string;
  /** Every field, with defaults, as files have them: names for ids. */
  readonly fields: Fields;
  /** Names of the fields that the file writes. */
  readonly written: ReadonlySet<string>;
  readonly children: readonly Desired[];
}

/** What a file declares, or everything that is wrong with it. */
export interface DesiredState {
  readonly resources: readonly Desired[];
  readonly faults: readonly FileFault[];
}

/** Reads what a file declares; files that it names are read, too. */
export async function readDesired(file: InputFile): Promise<DesiredState> {
  const reader = new DesiredReader(file);
  return { resources: await reader.readTop(), faults: reader.faults };
}

/** Collects the faults of a whole file, so that all are told at once. */
class DesiredReader {
  readonly faults: FileFault[] = [];
  readonly #file: InputFile;
  readonly #placeholders = new Placeholders();

  constructor(file: InputFile) {
    this.#file = file;
  }

  async readTop(): Promise<readonly Desired[]> {
    const { value } = this.#file;
    if (value === null || value === undefined) return [];
    if (!isRecord(value)) {
      this.faults.push({ where: "", problem: `must be an object with ${fileSections.map(({ key }) => key).join(", ")}` });
      return [];
    }
    this.#checkKeys(value, fileSections.map(({ key }) => key), "");
    return this.#readSections(fileSections, value, "");
  }

  #checkKeys(value: Fields, known: readonly string[], where: string): void {
    for (const key of Object.keys(value)) {
      if (known.includes(key)) continue;
      const near = nearestName(key, known);
      const hint = near === undefined ? `; known are ${known.join(", ")}` : `; did you mean ${near}?`;
      this.faults.push({ where: where === "" ? key : `${where}.${key}`, problem: `unknown key${hint}` });
    }
  }

  async #readSections(sections: readonly Section[], value: Fields, where: string): Promise<readonly Desired[]> {
    const found: Desired[] = [];
    for (const section of sections) {
      const given = value[section.key];
      if (given === undefined || given === null) continue;
      const at = where === "" ? section.key : `${where}.${section.key}`;
      if (!section.single && !Array.isArray(given)) {
        this.faults.push({ where: at, problem: "must be a list" });
        continue;
      }
      const entries = section.single ? [[at, given] as const] : (given as unknown[]).map((entry, index) => [`${at}[${index}]`, entry] as const);
      for (const [place, entry] of entries) {
        const one = await this.#readOne(section, entry, place);
        if (one !== undefined) found.push(one);
      }
    }
    return found;
  }

  async #readOne(section: Section, value: unknown, where: string): Promise<Desired | undefined> {
    if (!isRecord(value)) {
      this.faults.push({ where, problem: "must be an object" });
      return undefined;
    }
    const { fields: given, faults } = await readFields(section, value, { where, file: this.#file });
    this.faults.push(...faults);
    if (section.named && typeof value["name"] !== "string") {
      this.faults.push({ where: `${where}.name`, problem: "is required: it is what apply knows the resource by" });
    }
    const children = await this.#readSections(section.sections, value, where);
    const fields = this.#effective(section.kind, given, where);
    const written = new Set(Object.keys(given));
    return { kind: section.kind, where, title: titleOf(section.kind, fields ?? given, where), fields: fields ?? given, written, children };
  }

  /** Checks the fields and fills the defaults; ids that do not exist yet are stood in for. */
  #effective(kind: ResourceKind, given: Fields, where: string): Fields | undefined {
    const schema = createRequestSchemas[kind];
    const placeholders = this.#placeholders;
    const parents = PARENT_FIELDS.filter((field) => schema.fields.some(({ jsonName }) => jsonName === field));
    const standIns = Object.fromEntries(parents.map((field) => [field, placeholders.idOf("loadBalancer", "")]));
    const spec = { ...toIds(schema, given, (kindOf, name) => placeholders.idOf(kindOf, name)), ...standIns };
    const parsed = parseSpec(kind, kind === "l7Policy" ? { ...spec, listenerId: placeholders.idOf("listener", "") } : spec);
    if (!parsed.ok) {
      this.faults.push(...parsed.violations.map((violation) => toFault(violation, where, placeholders)));
      return undefined;
    }
    const { position: _, ...fields } = toNames(schema, parsed.value as unknown as Fields, (_kind, id) => placeholders.nameOf(id));
    return withoutParents(fields);
  }
}

/** Every id of a parent, by its field in Create. */
const PARENT_FIELDS = ["loadBalancerId", "poolId", "listenerId", "l7PolicyId"];

/** The parents in files' spelling; a policy's `pool` is no parent. */
function withoutParents(fields: Fields): Fields {
  const { loadBalancer: _lb, listener: _listener, l7Policy: _policy, ...others } = fields;
  if (others["pool"] !== "") return others;
  const { pool: _pool, ...rest } = others;
  return rest;
}

/** Ids for names, so that a spec can be checked before anything exists. */
class Placeholders {
  readonly #ids = new Map<string, string>();
  readonly #names = new Map<string, string>();

  idOf(kind: ResourceKind, name: string): string {
    const key = `${kind} ${name}`;
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const id = `00000000-0000-7000-8000-${this.#ids.size.toString(16).padStart(12, "0")}`;
    this.#ids.set(key, id);
    this.#names.set(id, name);
    return id;
  }

  nameOf(id: string): string {
    return this.#names.get(id) ?? id;
  }
}

/** The violation at its place in the file: `listeners[0].defaultPool`. */
function toFault({ field, description }: Violation, where: string, placeholders: Placeholders): FileFault {
  const path = field.split(".").map(toCamelCase).join(".").replace(/redirectPoolId$/, "pool").replace(/Id(s?)(?=$|\[|\.)/g, "$1");
  const problem = description.replaceAll(/00000000-0000-7000-8000-[0-9a-f]{12}/g, (id) => JSON.stringify(placeholders.nameOf(id)));
  return { where: `${where}.${path}`, problem };
}

/** What a resource is called in plans. */
export function titleOf(kind: ResourceKind, fields: Fields, where: string): string {
  if (kind === "backend") return formatHostPort(String(fields["address"]) as never, Number(fields["port"]));
  if (typeof fields["name"] === "string") return fields["name"];
  const place = /\[(\d+)\]$/.exec(where)?.[1];
  return place === undefined ? "" : `#${Number(place) + 1}`;
}
