import {
  aborted,
  type DomainError,
  failedPrecondition,
  invalid,
  labelOf,
  notFound,
  type ResourceKind,
  type Violation,
} from "@fiberlb/types";

/**
 * What the repository says no with, in terms of kinds. An id of another tenant gets the very message of an id that nobody
 * has.
 */
export const entityNotFound = (kind: ResourceKind, id: string): DomainError => notFound(labelOf(kind), id);

export const invalidField = (
  field: string,
  description: string,
  reason: Violation["reason"] = "INVALID_FORMAT",
): DomainError => invalid([{ field, description, reason }]);

/** How an entity is called in messages: by kind and name. */
export const nameOf = (kind: ResourceKind, { name }: { readonly name: string }): string => `${labelOf(kind)} ${name}`;

export const beingDeleted = (what: string): DomainError => failedPrecondition("change", what, "it is being deleted");

export const staleRevision = (what: string, revisions: { sent: number; current: number }): DomainError =>
  aborted(what, revisions);
