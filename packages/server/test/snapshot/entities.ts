import { createEntity, type Entities, parseSpec, type ResourceKind } from "@fiberlb/types";

let counter = 0;

/** A UUIDv7-shaped id; later calls give later ids. */
export function nextId(): string {
  counter += 1;
  return `01890000-0000-7000-8000-${counter.toString(16).padStart(12, "0")}`;
}

const RECORD = {
  orgId: "acme",
  projectId: "web",
  revision: 1,
  createdAt: "2026-01-01T00:00:00.000Z",
  updatedAt: "2026-01-01T00:00:00.000Z",
};

/** An entity as the repository would hold it: spec with defaults, and a record. */
export function entity<K extends ResourceKind>(kind: K, input: Record<string, unknown>): Entities[K] {
  const { id = nextId(), record = {}, ...fields } = input;
  const spec = parseSpec(kind, { name: `a-${kind}`, ...fields });
  if (!spec.ok) throw new Error(`bad ${kind}: ${JSON.stringify(spec.violations)}`);
  return createEntity(kind, spec.value, { ...RECORD, id, ...(record as object) } as never);
}
