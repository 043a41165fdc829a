import { cookieValues } from "../../../src/data/l7/cookie.ts";
import type { RouteRequest } from "../../../src/data/l7/route-request.ts";
import type { ActionUnit, PolicyUnit, RuleUnit } from "../../../src/snapshot/snapshot.ts";

/** What a test says of a request; the rest is an ordinary GET. */
export type Wanted = Partial<Omit<RouteRequest, "header" | "cookie">> & {
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, readonly string[]>>;
};

/** A request as routing sees it. */
export function request({ headers = {}, ...wanted }: Wanted = {}): RouteRequest {
  const header = (name: string): readonly string[] => (Object.hasOwn(headers, name) ? headers[name]! : []);
  return {
    method: "GET",
    path: "/",
    query: "",
    host: "example.com",
    scheme: "http",
    port: 80,
    sourceAddress: "192.0.2.1",
    sni: undefined,
    clientCertificate: undefined,
    ...wanted,
    header,
    cookie: (name) => cookieValues(header("cookie"), name),
  };
}

/** A rule in one line: `rule("PATH", "STARTS_WITH", "/api")`. */
export function rule(
  type: RuleUnit["type"],
  compareType: RuleUnit["compareType"],
  value: string,
  { key, invert = false }: { readonly key?: string; readonly invert?: boolean } = {},
): RuleUnit {
  return { id: "rule", type, compareType, ...(key !== undefined && { key }), value, invert };
}

/** A policy to a pool of its own name, unless told otherwise. */
export function policy(name: string, rules: readonly RuleUnit[], action: ActionUnit = toPool(name)): PolicyUnit {
  return { id: name, name, rules, action, setResponseHeaders: [] };
}

/** The action that sends requests to one pool. */
export const toPool = (poolId: string): ActionUnit => ({
  type: "REDIRECT_TO_POOL",
  pools: [{ poolId, weight: 1 }],
  setRequestHeaders: [],
});
