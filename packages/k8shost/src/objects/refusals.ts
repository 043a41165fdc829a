import { Code, ConnectError } from "@connectrpc/connect";
import { DomainError, notFound } from "@fiberlb/types";

import { type HostObject, type Kind, metaOf } from "./kinds.ts";

/** `Pod shop/web-1`; of a node only the name. */
export const describeObject = (
  { label, plural }: Kind<HostObject>,
  { namespace, name }: { namespace: string; name: string },
) => `${label} ${namespace === "" || plural === "nodes" ? name : `${namespace}/${name}`}`;

export const missing = (kind: Kind<HostObject>, place: { namespace: string; name: string }): DomainError =>
  notFound(kind.label, describeObject(kind, place).slice(kind.label.length + 1));

export const taken = (kind: Kind<HostObject>, place: { namespace: string; name: string }): DomainError =>
  new DomainError({ kind: "already-exists" }, `${describeObject(kind, place)} exists already`);

/** A change came in between. `sent` is the version that the caller goes by, if any. */
export function changedMeanwhile<T extends HostObject>(kind: Kind<T>, current: T, sent: bigint): DomainError {
  const meta = metaOf(current);
  const what = describeObject(kind, meta);
  const was = sent === 0n ? "" : `resource_version ${sent} was sent, `;
  return new DomainError(
    { kind: "aborted" },
    `${what} has changed: ${was}${meta.resourceVersion} is current; read it again and repeat the change`,
  );
}

/** The caller means another object that had this name. */
export function otherUid<T extends HostObject>(kind: Kind<T>, current: T, sent: string): DomainError {
  const meta = metaOf(current);
  return new DomainError(
    { kind: "aborted" },
    `${describeObject(kind, meta)} is another one by now: uid ${sent} was sent, ${meta.uid} is current`,
  );
}

/** History no longer reaches back, or is not that far yet. */
export const outOfHistory = (resourceVersion: bigint, why: string): ConnectError =>
  new ConnectError(
    `resource_version ${resourceVersion} ${why}: list again, or watch from 0, and go on from what that answers`,
    Code.OutOfRange,
  );
