import type { FiberlbClient } from "@fiberlb/api";
import { formatHostPort, parseId, type ResourceKind } from "@fiberlb/types";

import { refusal } from "./exit.ts";
import { infoOf, type KindInfo } from "./kinds.ts";
import { type ListFilter, listResources } from "./rpc.ts";

/** What lookups read of any resource. */
interface Named {
  readonly id: string;
  readonly name: string;
}

/**
 * The id of what a person named: an id, a name, or a path from the load balancer down (`web/app`, `web/app/10.0.0.1:80`).
 * `within` narrows what a plain name may mean.
 * @throws CliExit when nothing has the name, and when several do: then it lists their ids.
 */
export async function resolveId(
  client: FiberlbClient,
  kind: ResourceKind,
  text: string,
  within: ListFilter = {},
): Promise<string> {
  const parsed = parseId(text);
  if (parsed.ok) return parsed.value;
  const found = await findByName(client, kind, text, within);
  const candidates = found.length === 0 ? await findByPath(client, kind, text) : found;
  const [first, ...others] = candidates;
  if (first === undefined) throw refusal(`not found: no ${infoOf(kind).label} is named ${JSON.stringify(text)}`);
  if (others.length > 0) throw ambiguous(infoOf(kind), text, candidates);
  return first.id;
}

const ambiguous = ({ label, parent }: KindInfo, text: string, found: readonly Named[]) =>
  refusal(
    `${JSON.stringify(text)} is the name of ${found.length} ${plural(label)}: ${found.map(({ id }) => id).join(", ")}; ` +
      `name one by its id${parent === undefined ? "" : ` or path (PARENT/${text})`}`,
  );

/** `L7 policy` → `L7 policies`. */
export const plural = (label: string): string => `${label.replace(/y$/, "ie")}s`;

const findByName = (
  client: FiberlbClient,
  kind: ResourceKind,
  name: string,
  filter: ListFilter = {},
): Promise<readonly Named[]> => listResources(client, kind, { ...filter, name });

/** Parents first: only resources below the parent that the beginning of the path names. */
async function findByPath(client: FiberlbClient, kind: ResourceKind, text: string): Promise<readonly Named[]> {
  const { parent } = infoOf(kind);
  const slash = text.lastIndexOf("/");
  if (parent === undefined || slash <= 0) return kind === "backend" ? findByAddress(client, text, {}) : [];
  const parentId = await resolveId(client, parent, text.slice(0, slash));
  const [name, filter] = [text.slice(slash + 1), { [`${parent}Id`]: parentId }];
  const found = await findByName(client, kind, name, filter);
  return found.length === 0 && kind === "backend" ? findByAddress(client, name, filter) : found;
}

async function findByAddress(client: FiberlbClient, text: string, filter: ListFilter): Promise<readonly Named[]> {
  if (!/:\d+$/.test(text)) return [];
  const backends = await listResources(client, "backend", filter);
  return backends.filter(({ address, port }) => formatHostPort(address, port) === text);
}
