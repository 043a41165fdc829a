import { formatHostPort, nearestName, type ResourceKind, toCamelCase, type Violation } from "@fiberlb/types";

import { type FileFault, isRecord } from "../fields/check-keys.ts";
import { effectiveFields, Placeholders } from "./effective.ts";
import type { Fields } from "./file-fields.ts";
import { withImpliedProtocols } from "./implied-protocol.ts";
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
      this.faults.push({
        where: "",
        problem: `must be an object with ${fileSections.map(({ key }) => key).join(", ")}`,
      });
      return [];
    }
    this.#checkKeys(
      value,
      fileSections.map(({ key }) => key),
      "",
    );
    return this.#readSections(fileSections, withImpliedProtocols(value), "");
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
      const entries = section.single
        ? [[at, given] as const]
        : (given as unknown[]).map((entry, index) => [`${at}[${index}]`, entry] as const);
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
    return {
      kind: section.kind,
      where,
      title: titleOf(section.kind, fields ?? given, where),
      fields: fields ?? given,
      written,
      children,
    };
  }

  #effective(kind: ResourceKind, given: Fields, where: string): Fields | undefined {
    const checked = effectiveFields(kind, given, this.#placeholders);
    if (checked.ok) return checked.value;
    this.faults.push(...checked.violations.map((violation) => toFault(violation, where, this.#placeholders)));
    return undefined;
  }
}

/** The violation at its place in the file: `listeners[0].defaultPool`. */
function toFault({ field, description }: Violation, where: string, placeholders: Placeholders): FileFault {
  const path = field
    .split(".")
    .map(toCamelCase)
    .join(".")
    .replace(/redirectPoolId$/, "pool")
    .replace(/Id(s?)(?=$|\[|\.)/g, "$1");
  return { where: `${where}.${path}`, problem: placeholders.inWords(description) };
}

/** What a resource is called in plans. */
export function titleOf(kind: ResourceKind, fields: Fields, where: string): string {
  if (kind === "backend") return formatHostPort(String(fields["address"]), Number(fields["port"]));
  if (typeof fields["name"] === "string") return fields["name"];
  const place = /\[(\d+)\]$/.exec(where)?.[1];
  return place === undefined ? "" : `#${Number(place) + 1}`;
}
