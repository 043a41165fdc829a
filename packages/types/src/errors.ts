import type { Violation } from "./result.ts";

/** What went wrong, in the domain's terms; the control plane maps each kind to one RPC code. */
export type DomainErrorDetail =
  | { readonly kind: "invalid"; readonly violations: readonly Violation[] }
  | { readonly kind: "not-found"; readonly resource: string; readonly id: string }
  | { readonly kind: "already-exists" }
  | { readonly kind: "failed-precondition" }
  | { readonly kind: "aborted" }
  | { readonly kind: "exhausted" }
  | { readonly kind: "unauthenticated" }
  | { readonly kind: "permission-denied" }
  | { readonly kind: "unavailable" };

/** One kind for each RPC code that callers see. */
export type DomainErrorKind = DomainErrorDetail["kind"];

/** An error whose message is meant for the caller of the API. */
export class DomainError extends Error {
  override readonly name = "DomainError";
  readonly detail: DomainErrorDetail;

  constructor(detail: DomainErrorDetail, message: string, options?: ErrorOptions) {
    super(message, options);
    this.detail = detail;
  }

  get kind(): DomainErrorKind {
    return this.detail.kind;
  }
}

/** `port must be 1 to 65535, not 0; name is required`. */
export const describeViolations = (violations: readonly Violation[]): string =>
  violations.map(({ field, description }) => `${field} ${description}`).join("; ");

/** The request is wrong: lists every bad field. */
export const invalid = (violations: readonly Violation[]): DomainError =>
  new DomainError({ kind: "invalid", violations }, describeViolations(violations));

/** The same for what does not exist and for what belongs to another tenant. `resource` is for people: `load balancer`. */
export const notFound = (resource: string, id: string): DomainError =>
  new DomainError({ kind: "not-found", resource, id }, `${resource} ${id} does not exist`);

/** `what` is taken by another resource: `name "web"`, `VIP 203.0.113.7`, `port 80/TCP of load balancer web`. */
export const alreadyExists = (what: string): DomainError =>
  new DomainError({ kind: "already-exists" }, `${what} is in use`);

/** `failedPrecondition("delete", "load balancer web", "it has 2 listeners; use cascade")`. */
export const failedPrecondition = (action: string, what: string, why: string): DomainError =>
  new DomainError({ kind: "failed-precondition" }, `cannot ${action} ${what}: ${why}`);

/** A change came in between. Revisions as the client sent it and as it is now. */
export const aborted = (
  what: string,
  { sent, current }: { readonly sent: number; readonly current: number },
): DomainError =>
  new DomainError(
    { kind: "aborted" },
    `${what} has changed: revision ${sent} was sent, ${current} is current; read it again and repeat the change`,
  );

/** `exhausted("VIP pool default", "all 254 addresses are in use")`. */
export const exhausted = (what: string, why: string): DomainError =>
  new DomainError({ kind: "exhausted" }, `${what} is exhausted: ${why}`);

/** Nobody knows who is calling. `why` is a whole sentence, without secrets. */
export const unauthenticated = (why: string): DomainError => new DomainError({ kind: "unauthenticated" }, why);

/** `permissionDenied("list nodes", "role admin is needed")`. */
export const permissionDenied = (action: string, why: string): DomainError =>
  new DomainError({ kind: "permission-denied" }, `not allowed to ${action}: ${why}`);

/** Something that we depend on does not answer; trying again may help. */
export const unavailable = (what: string, options?: ErrorOptions): DomainError =>
  new DomainError({ kind: "unavailable" }, `${what} is not available; try again`, options);
