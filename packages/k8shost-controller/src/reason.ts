/** Why a Service has no load balancer that serves as asked, in one word for programs. */
export type Reason =
  | "Active"
  | "Pending"
  | "InvalidConfiguration"
  | "ProvisioningFailed"
  | "QuotaExceeded"
  | "VipPoolExhausted"
  | "Conflict"
  | "Refused"
  | "NotAllowed"
  | "Unavailable";

/** Something that did not work, for a Service's condition. */
export interface Failure {
  readonly reason: Reason;
  /** One sentence for people. */
  readonly message: string;
  /** It may work in a moment without anybody doing anything: nothing to tell a user who is served all the same. */
  readonly isTransient: boolean;
}
