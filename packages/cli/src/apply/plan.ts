import type { ResourceKind } from "@fiberlb/types";

import { type Actual, type ActualState, childKinds } from "./actual.ts";
import type { Desired } from "./desired.ts";
import { diff, isImmutable, keepAssigned } from "./diff.ts";
import { without } from "./file-fields.ts";
import { match, temporaryBase } from "./match.ts";
import { ownerIn, ownerOf, withOwner } from "./ownership.ts";
import { type FieldChange, hasChanges, type PlanNode } from "./plan-node.ts";
import { policyOrder } from "./policy-order.ts";
import { repoint, replacedIn } from "./repoint.ts";
import { describeKind } from "./schema.ts";

/** How `apply` was asked to go about it. */
export interface PlanOptions {
  /** Name of the set that this file is. */
  readonly set: string;
  /** Delete load balancers and certificates of the set that the file no longer names. */
  readonly prune: boolean;
  /** Take over load balancers and certificates that are not of the set. */
  readonly adopt: boolean;
  /** Allow what cannot change to be replaced. */
  readonly replace: boolean;
}

/** What is to do, and what stands against it. */
export interface Plan {
  readonly nodes: readonly PlanNode[];
  /** Each a sentence; with any, nothing may be done. */
  readonly refusals: readonly string[];
}

/** What leads from what there is to what the file says. Pure: the same arguments give the same plan. */
export function plan(desired: readonly Desired[], actual: ActualState, options: PlanOptions): Plan {
  return new Planner(options).plan(desired, actual);
}

class Planner {
  readonly #options: PlanOptions;
  readonly #owner: string;
  readonly #refusals: string[] = [];

  constructor(options: PlanOptions) {
    this.#options = options;
    this.#owner = ownerOf(options.set);
  }

  plan(desired: readonly Desired[], { resources, certificateUsers }: ActualState): Plan {
    const ofKind = (kind: ResourceKind): readonly PlanNode[] =>
      this.#planTop(
        desired.filter((one) => one.kind === kind),
        resources.filter((one) => one.kind === kind),
      );
    const certificates = ofKind("certificate");
    const renewed = replacedIn("certificate", certificates);
    const loadBalancers = ofKind("loadBalancer").map((node) => repoint(node, renewed));
    const others = certificateUsers.flatMap(({ actual, path }) => {
      const keep: PlanNode = {
        action: "keep",
        kind: actual.kind,
        path: path.split("/"),
        actual,
        changes: [],
        children: [],
      };
      const node = repoint(keep, renewed);
      return node.action === "keep" ? [] : [node];
    });
    const nodes = [...ofKind("vipPool"), ...certificates, ...loadBalancers, ...others];
    return { nodes, refusals: this.#refusals };
  }

  #planTop(desired: readonly Desired[], actual: readonly Actual[]): readonly PlanNode[] {
    const { pairs, added, removed } = match(desired, actual);
    return [
      ...pairs.map(([wanted, is]) => this.#planOwned(wanted, is)),
      ...added.map((wanted) => this.#created(wanted)),
      ...removed.filter((is) => this.#mayGo(is, desired)).map((is) => deleted(is, [])),
    ];
  }

  #created(wanted: Desired): PlanNode {
    this.#refuseKeyless(wanted);
    const isOwned = wanted.kind !== "vipPool";
    return created(isOwned ? { ...wanted, fields: withOwner(wanted.fields, this.#owner) } : wanted, []);
  }

  /** A file may leave out the private key only while the certificate stays. */
  #refuseKeyless({ kind, title, fields }: Desired): void {
    if (kind !== "certificate" || fields["type"] !== "SERVER" || fields["privateKeyPem"] !== undefined) return;
    this.#refusals.push(`certificate ${title} has to be made and needs its key: name it in privateKeyFile`);
  }

  /** What an interrupted replacement left behind goes without being asked; anything else with --prune. */
  #mayGo(is: Actual, desired: readonly Desired[]): boolean {
    if (is.kind === "vipPool" || ownerIn(is.fields) !== this.#owner) return false;
    const base = temporaryBase(is.title);
    return this.#options.prune || (base !== undefined && desired.some(({ title }) => title === base));
  }

  /** A load balancer or certificate that is not of this set is left alone unless nothing of it would change. */
  #planOwned(wanted: Desired, is: Actual): PlanNode {
    if (wanted.kind === "vipPool") return this.#planPair(wanted, is, []);
    const owner = ownerIn(is.fields);
    const isOurs = owner === this.#owner || this.#options.adopt;
    const node = this.#planPair({ ...wanted, fields: withOwner(wanted.fields, isOurs ? this.#owner : owner) }, is, []);
    if (!isOurs && hasChanges(node)) {
      const who = owner === undefined ? "was not made by apply" : `is kept by ${owner}`;
      const set = owner?.startsWith("apply/") === true ? `--set ${owner.slice("apply/".length)} or ` : "";
      this.#refusals.push(`${describeKind(is.kind, is.title)} exists and ${who}: use ${set}--adopt to take it over`);
    }
    return node;
  }

  #planPair(given: Desired, is: Actual, above: readonly string[]): PlanNode {
    const wanted = keepAssigned(given, is);
    const changes = diff(wanted, is);
    const path = [...above, wanted.title];
    const fixed = changes.filter(({ name }) => isImmutable(wanted.kind, name));
    if (fixed.length > 0) return this.#replaced(wanted, is, { path, changes, fixed });
    const children = this.#planChildren(wanted, is, path);
    const replaced = replacedIn("pool", children);
    const followed = children.map((child) => repoint(child, replaced));
    return {
      action: changes.length > 0 ? "update" : "keep",
      kind: is.kind,
      path,
      desired: wanted,
      actual: is,
      changes,
      children: followed,
    };
  }

  #planChildren(wanted: Desired, is: Actual, path: readonly string[]): readonly PlanNode[] {
    return childKinds(wanted.kind).flatMap((kind) => {
      const { pairs, added, removed } = match(
        wanted.children.filter((child) => child.kind === kind),
        is.children.filter((child) => child.kind === kind),
      );
      const byDesired = new Map<Desired, PlanNode>([
        ...pairs.map(([child, was]) => [child, this.#planPair(child, was, path)] as const),
        ...added.map((child) => [child, created(child, path)] as const),
      ]);
      const staying = wanted.children.flatMap((child) => byDesired.get(child) ?? []);
      const nodes = [...staying, ...removed.filter((was) => !isRegistered(was)).map((was) => deleted(was, path))];
      return kind === "l7Policy" ? placed(nodes) : nodes;
    });
  }

  #replaced(
    wanted: Desired,
    is: Actual,
    { path, changes, fixed }: Pick<PlanNode, "path" | "changes"> & { readonly fixed: readonly FieldChange[] },
  ): PlanNode {
    this.#refuseKeyless(wanted);
    const isRenewal = wanted.kind === "certificate" && fixed.every(({ name }) => name !== "type");
    if (!this.#options.replace && !isRenewal) {
      const fields = fixed.map(({ name }) => name).join(" and ");
      this.#refusals.push(
        `${describeKind(is.kind, path.filter((part) => part !== "").join("/"))} has to be replaced, because ${fields} cannot change: use --replace`,
      );
    }
    const children = wanted.children.map((child) => created(child, path));
    // A name that the server made up says which one it was: the new one gets its own.
    const desired = wanted.written.has("name") ? wanted : { ...wanted, fields: without(wanted.fields, "name") };
    return { action: "replace", kind: is.kind, path, desired, actual: is, changes, children };
  }
}

/** Tells policies where they have to be created or moved to. */
function placed(nodes: readonly PlanNode[]): readonly PlanNode[] {
  const positions = policyOrder(nodes);
  return nodes.map((node) => {
    const position = positions.get(node);
    if (position === undefined) return node;
    if (node.actual === undefined) return { ...node, position };
    const change = { name: "position", from: node.actual.place + 1, to: position };
    return { ...node, position, action: "update", changes: [...node.changes, change] };
  });
}

/** A backend that registered itself belongs to its program, which renews it; the file speaks of the others. */
const isRegistered = ({ kind, fields }: Actual): boolean => kind === "backend" && Number(fields["ttlS"]) > 0;

function created(desired: Desired, above: readonly string[]): PlanNode {
  const path = [...above, desired.title];
  const children = desired.children.map((child) => created(child, path));
  return { action: "create", kind: desired.kind, path, desired, changes: [], children };
}

const deleted = (actual: Actual, above: readonly string[]): PlanNode => ({
  action: "delete",
  kind: actual.kind,
  path: [...above, actual.title],
  actual,
  changes: [],
  children: [],
});
