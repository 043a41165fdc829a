import type { ServicePort } from "./objects.ts";

/** A value for all ports, and others for some, by name or number. */
export interface PortChoice<V> {
  readonly all: V | undefined;
  readonly of: ReadonlyMap<string, V>;
}

/** Reads `HTTP`, or `web=HTTP,443=HTTPS`, or both: `TCP,443=HTTPS`. */
export function readPortChoice<V extends string>(
  text: string | undefined,
  allowed: readonly V[],
): { readonly choice: PortChoice<V>; readonly wrong: readonly string[] } {
  const of = new Map<string, V>();
  const wrong: string[] = [];
  let all: V | undefined;
  for (const item of text === undefined ? [] : text.split(",")) {
    const at = item.indexOf("=");
    const port = at < 0 ? undefined : item.slice(0, at).trim();
    const value = item.slice(at + 1).trim();
    const name = value.toUpperCase() as V;
    if (!allowed.includes(name)) wrong.push(`must be one of ${allowed.join(", ")}, not ${JSON.stringify(value)}`);
    else if (port === undefined && all !== undefined) wrong.push(`says ${all} and ${name} for all ports`);
    else if (port === undefined) all = name;
    else if (of.has(port)) wrong.push(`says ${of.get(port)} and ${name} for port ${port}`);
    else of.set(port, name);
  }
  return { choice: { all, of }, wrong };
}

/** What was said of this very port, by name or number. */
export const saidOfPort = <V>({ of }: PortChoice<V>, { name, port }: ServicePort): V | undefined =>
  (name === "" ? undefined : of.get(name)) ?? of.get(String(port));

/** Ports that a choice names and the Service does not have. */
export const strangePorts = (choice: PortChoice<unknown>, ports: readonly ServicePort[]): readonly string[] =>
  [...choice.of.keys()].filter((key) => !ports.some(({ name, port }) => name === key || String(port) === key));
