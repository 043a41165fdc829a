import type { ActualLoadBalancer } from "./actual.ts";
import { type Condition, READY_CONDITION, type Service, type ServiceStatus } from "./objects.ts";
import { describeProblems, type Problem } from "./problem.ts";
import type { Failure, Reason } from "./reason.ts";

/** What a Service's status is made of. */
export interface StatusInput {
  readonly service: Service;
  /** The one that is to serve; absent: not made yet. */
  readonly current: ActualLoadBalancer | undefined;
  /** Others that serve until then. */
  readonly others: readonly ActualLoadBalancer[];
  readonly problems: readonly Problem[];
  /** What went wrong in this run. */
  readonly failure: Failure | undefined;
}

/** Whether clients can be sent to it. A change that is on its way to the data plane takes nothing away from what served before. */
export const isServing = ({ provisioningStatus }: Pick<ActualLoadBalancer, "provisioningStatus">): boolean =>
  provisioningStatus === "ACTIVE" || provisioningStatus === "PENDING_UPDATE";

/** What the Service's status has to be. */
export function statusOf(input: StatusInput): ServiceStatus {
  return { ingressIps: ingressOf(input), condition: conditionOf(input) };
}

/** An address is shown when its load balancer is ACTIVE, and from then on while it changes. */
function ingressOf({ service, current, others }: StatusInput): readonly string[] {
  const shows = (one: ActualLoadBalancer): boolean =>
    one.provisioningStatus === "ACTIVE" || (isServing(one) && service.ingressIps.includes(one.vipAddress));
  const candidates = current === undefined ? others : [current, ...others];
  const serving = candidates.find(shows);
  return serving === undefined ? [] : [serving.vipAddress];
}

function conditionOf(input: StatusInput): Condition {
  const { service, current, problems, failure } = input;
  const not = (reason: Reason, message: string): Condition => ({
    type: READY_CONDITION,
    status: "False",
    reason,
    message,
  });
  if (failure !== undefined) return not(failure.reason, failure.message);
  if (problems.length > 0) return not("InvalidConfiguration", describeProblems(problems));
  if (current === undefined) return not("Pending", "the load balancer is yet to be made");
  const { vipAddress, statusReason } = current;
  if (current.provisioningStatus === "ERROR")
    return not("ProvisioningFailed", statusReason || `VIP ${vipAddress} is not served`);
  const wasShown = service.ingressIps.includes(vipAddress);
  if (current.provisioningStatus !== "ACTIVE" && !(isServing(current) && wasShown)) {
    return not("Pending", `VIP ${vipAddress} waits for the data plane`);
  }
  return { type: READY_CONDITION, status: "True", reason: "Active", message: `VIP ${vipAddress} is served` };
}

/** What is left on a Service that has no load balancer and wants none. */
export const NO_STATUS: ServiceStatus = { ingressIps: [], condition: undefined };

/** Whether the Service shows this already. */
export function showsStatus({ ingressIps, conditions }: Service, status: ServiceStatus): boolean {
  const shown = conditions.find(({ type }) => type === READY_CONDITION);
  const { condition } = status;
  return (
    ingressIps.join() === status.ingressIps.join() &&
    shown?.status === condition?.status &&
    shown?.reason === condition?.reason &&
    shown?.message === condition?.message
  );
}
