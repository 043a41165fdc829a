import { z } from "zod";

/** One key of the configuration file, as the reference page and the environment know it. */
export interface ConfigKey {
  /** Dotted path: `dataPlane.l4`. */
  readonly path: string;
  /** `FIBERLB_DATA_PLANE_L4`. */
  readonly env: string;
  /** For people: `"a" | "b"`, `integer 0 to 10`, `list`. */
  readonly type: string;
  /** As YAML would show it; undefined when there is none. */
  readonly fallback: string | undefined;
  readonly description: string;
}

interface JsonSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly default?: unknown;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** Every leaf of a configuration schema, in file order. */
export function configKeys(schema: z.ZodType): readonly ConfigKey[] {
  return leaves(jsonSchemaOf(schema), []);
}

/** Names that may stand in the mapping at a path; that of a list's entries is the list's, or one with indices. */
export function namesAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  const at = path.reduce<JsonSchema | undefined>(
    (inner, step) => (typeof step === "number" ? inner?.items : inner?.properties?.[String(step)]),
    jsonSchemaOf(schema),
  );
  return Object.keys(at?.properties ?? {});
}

const jsonSchemaOf = (schema: z.ZodType): JsonSchema => z.toJSONSchema(schema, { io: "input" }) as JsonSchema;

function leaves(schema: JsonSchema, path: readonly string[]): ConfigKey[] {
  if (schema.properties !== undefined)
    return Object.entries(schema.properties).flatMap(([name, child]) => leaves(child, [...path, name]));
  return [
    {
      path: path.join("."),
      env: envName(path),
      type: typeText(schema),
      fallback: schema.default === undefined ? undefined : JSON.stringify(schema.default),
      description: schema.description ?? "",
    },
  ];
}

/** `["dataPlane", "l4"]` → `FIBERLB_DATA_PLANE_L4`. */
export function envName(path: readonly string[]): string {
  return `FIBERLB_${path.map((part) => part.replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase()).join("_")}`;
}

function typeText(schema: JsonSchema): string {
  if (schema.enum !== undefined) return schema.enum.map(String).join(", ");
  if (schema.const !== undefined) return JSON.stringify(schema.const).replaceAll('"', "");
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeText).join(" or ");
  if (schema.type === "integer") return `integer, ${schema.minimum ?? "…"} to ${schema.maximum ?? "…"}`;
  if (schema.type === "array") return "list";
  return schema.type ?? "any";
}
