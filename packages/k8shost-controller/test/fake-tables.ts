import type { Entities, ResourceKind } from "@fiberlb/types";

/** Kinds that the fake keeps. */
export type FakeKind = Extract<
  ResourceKind,
  "loadBalancer" | "listener" | "pool" | "backend" | "healthCheck" | "certificate"
>;

/** An entity as the fake keeps it. */
export type Row = Readonly<Record<string, unknown>> & {
  readonly id: string;
  readonly name: string;
  readonly orgId: string;
  readonly projectId: string;
  readonly revision: number;
  readonly tags: Readonly<Record<string, string>>;
};

export const PARENTS: Readonly<Partial<Record<FakeKind, FakeKind>>> = {
  listener: "loadBalancer",
  pool: "loadBalancer",
  backend: "pool",
  healthCheck: "pool",
};

export const CHILDREN: Readonly<Record<FakeKind, readonly FakeKind[]>> = {
  loadBalancer: ["listener", "pool"],
  listener: [],
  pool: ["backend", "healthCheck"],
  backend: [],
  healthCheck: [],
  certificate: [],
};

export const PLURALS: Readonly<Record<FakeKind, string>> = {
  loadBalancer: "loadBalancers",
  listener: "listeners",
  pool: "pools",
  backend: "backends",
  healthCheck: "healthChecks",
  certificate: "certificates",
};

export const parentIdOf = (kind: FakeKind, row: Readonly<Record<string, unknown>>): string =>
  PARENTS[kind] === undefined ? "" : String(row[`${PARENTS[kind]}Id`]);

/** What only one row of a kind can have. VIPs are unique over all tenants. */
export function claimsOf(kind: FakeKind, row: Row): readonly string[] {
  const parent = parentIdOf(kind, row) || `${row.orgId}/${row.projectId}`;
  const claims = [`name ${row.name} in ${parent}`];
  if (kind === "loadBalancer") claims.push(`VIP ${String(row["vipAddress"])}`);
  if (kind === "listener")
    claims.push(`port ${String(row["port"])}/${row["protocol"] === "UDP" ? "UDP" : "TCP"} of ${parent}`);
  if (kind === "backend") claims.push(`address ${String(row["address"])}:${String(row["port"])} in ${parent}`);
  if (kind === "healthCheck") claims.push(`the health check of ${parent}`);
  return claims;
}

/** What a test compares: everything but ids, revisions and times. */
export interface Tree {
  readonly name: string;
  readonly vip: string;
  readonly listeners: readonly string[];
  readonly pools: Readonly<Record<string, readonly string[]>>;
}

export type Rows = <K extends FakeKind>(kind: K) => readonly Entities[K][];

/** The load balancers as short texts: `tcp-80 TCP 80 → tcp-80`, `10.0.0.1:8080 ×1`. */
export function treesOf(rows: Rows): readonly Tree[] {
  const pools = rows("pool");
  return rows("loadBalancer").map(({ id, name, vipAddress }) => ({
    name,
    vip: vipAddress,
    listeners: rows("listener")
      .filter(({ loadBalancerId }) => loadBalancerId === id)
      .map(({ protocol, port, defaultPoolId }) => {
        return `${protocol} ${port} → ${pools.find((pool) => pool.id === defaultPoolId)?.name ?? "nothing"}`;
      })
      .toSorted(),
    pools: Object.fromEntries(
      pools
        .filter(({ loadBalancerId }) => loadBalancerId === id)
        .map((pool) => [
          pool.name,
          rows("backend")
            .filter(({ poolId }) => poolId === pool.id)
            .map(({ address, port, weight }) => `${address}:${port} ×${weight}`)
            .toSorted(),
        ]),
    ),
  }));
}
