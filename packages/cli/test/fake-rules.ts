import {
  type Entities,
  formatHostPort,
  healthCheckMisfit,
  policyMisfit,
  poolMisfit,
  type ResourceKind,
  ruleMisfit,
  type Violation,
} from "@fiberlb/types";

/** An entity as the fake server keeps it. */
export type Row = Readonly<Record<string, unknown>> & {
  readonly id: string;
  readonly name: string;
  readonly revision: number;
};

/** Something that a row names by its id. */
export interface FakeReference {
  readonly kind: ResourceKind;
  readonly id: string;
}

const reference = (kind: ResourceKind, id: unknown): readonly FakeReference[] =>
  typeof id === "string" ? [{ kind, id }] : [];

/** Everything that must exist for the row to. */
export function referencesOf(kind: ResourceKind, row: Row): readonly FakeReference[] {
  switch (kind) {
    case "listener": {
      const { loadBalancerId, defaultPoolId, certificateIds, clientCaCertificateId } =
        row as unknown as Entities["listener"];
      return [
        ...reference("loadBalancer", loadBalancerId),
        ...reference("pool", defaultPoolId),
        ...certificateIds.flatMap((id) => reference("certificate", id)),
        ...reference("certificate", clientCaCertificateId),
      ];
    }
    case "pool": {
      const { loadBalancerId, backendTls } = row as unknown as Entities["pool"];
      return [
        ...reference("loadBalancer", loadBalancerId),
        ...reference("certificate", backendTls?.caCertificateId),
        ...reference("certificate", backendTls?.clientCertificateId),
      ];
    }
    case "backend":
    case "healthCheck":
      return reference("pool", row["poolId"]);
    case "l7Policy": {
      const { listenerId, redirectPoolId, pools } = row as unknown as Entities["l7Policy"];
      return [
        ...reference("listener", listenerId),
        ...reference("pool", redirectPoolId),
        ...pools.flatMap(({ poolId }) => reference("pool", poolId)),
      ];
    }
    case "l7Rule":
      return reference("l7Policy", row["l7PolicyId"]);
    default:
      return [];
  }
}

/** What only one row of a kind can have. */
export function claimsOf(kind: ResourceKind, row: Row): readonly string[] {
  const parents = [row["loadBalancerId"], row["poolId"], row["listenerId"], row["l7PolicyId"]];
  const parent = parents.find((id) => typeof id === "string") ?? "";
  return [`name ${JSON.stringify(row.name)}${parent === "" ? "" : ` in ${parent}`}`, ...ownClaims(kind, row, parent)];
}

function ownClaims(kind: ResourceKind, row: Row, parent: string): readonly string[] {
  switch (kind) {
    case "loadBalancer":
      return [`VIP ${String(row["vipAddress"])}`];
    case "listener":
      return [`port ${Number(row["port"])}/${row["protocol"] === "UDP" ? "UDP" : "TCP"} of ${parent}`];
    case "backend":
      return [`address ${formatHostPort(row["address"] as never, row["port"] as number)} in ${parent}`];
    case "healthCheck":
      return [`the health check of ${parent}`];
    default:
      return [];
  }
}

type Lookup = (kind: ResourceKind, id: string) => Row | undefined;

/** Rules between two resources. */
export function violationsOf(kind: ResourceKind, row: Row, lookup: Lookup): readonly Violation[] {
  const found = (violation: Violation | undefined): readonly Violation[] =>
    violation === undefined ? [] : [violation];
  const listenerOf = (id: string): Entities["listener"] => lookup("listener", id) as unknown as Entities["listener"];
  const poolOf = (id: string): Entities["pool"] => lookup("pool", id) as unknown as Entities["pool"];
  switch (kind) {
    case "listener": {
      const { protocol, defaultPoolId } = row as unknown as Entities["listener"];
      return defaultPoolId === undefined
        ? []
        : found(poolMisfit("default_pool_id", protocol, poolOf(defaultPoolId).protocol));
    }
    case "healthCheck": {
      const { poolId, type } = row as unknown as Entities["healthCheck"];
      return found(healthCheckMisfit("type", type, poolOf(poolId).protocol));
    }
    case "l7Policy": {
      const { listenerId, redirectPoolId, action } = row as unknown as Entities["l7Policy"];
      const { protocol } = listenerOf(listenerId);
      const misfit =
        redirectPoolId === undefined
          ? undefined
          : poolMisfit("redirect_pool_id", protocol, poolOf(redirectPoolId).protocol);
      return [...found(misfit), ...found(policyMisfit("action", protocol, action))];
    }
    case "l7Rule": {
      const { l7PolicyId, type } = row as unknown as Entities["l7Rule"];
      const policy = lookup("l7Policy", l7PolicyId) as unknown as Entities["l7Policy"];
      return found(ruleMisfit("type", listenerOf(policy.listenerId).protocol, type));
    }
    default:
      return [];
  }
}
