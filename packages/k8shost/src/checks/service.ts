import { Protocol, type Service, type ServicePort, ServiceType } from "@fiberlb/api/k8shost";
import { parseCidr, parseIp } from "@fiberlb/types";

import { checkConditions, checkLabels } from "./meta.ts";
import { checkLabelName } from "./names.ts";
import type { Violations } from "./violations.ts";

const MAX = { ports: 100, sourceRanges: 256, classChars: 253, ingress: 16 };
const PORTS = { min: 1, max: 65_535 };

/** As `cluster_ip`: the Service has no address of its own. */
export const NO_CLUSTER_IP = "None";

export function checkServiceSpec({ spec }: Service, field: string, to: Violations): void {
  if (spec === undefined) return to.require(false, field);
  const needsPorts = spec.type !== ServiceType.EXTERNAL_NAME && spec.clusterIp !== NO_CLUSTER_IP;
  if (needsPorts && spec.ports.length === 0) to.require(false, `${field}.ports`);
  checkLabels(spec.selector, `${field}.selector`, to);
  checkPorts(spec.ports, `${field}.ports`, to);
  checkIp(spec.loadBalancerIp, `${field}.load_balancer_ip`, to);
  to.short(spec.loadBalancerClass, `${field}.load_balancer_class`, MAX.classChars);
  to.atMost(spec.loadBalancerSourceRanges.length, `${field}.load_balancer_source_ranges`, MAX.sourceRanges);
  for (const [index, range] of spec.loadBalancerSourceRanges.entries()) {
    const parsed = parseCidr(range);
    if (!parsed.ok) to.add(`${field}.load_balancer_source_ranges[${index}]`, "INVALID_FORMAT", parsed.error);
  }
  if (spec.type === ServiceType.LOAD_BALANCER && spec.clusterIp === NO_CLUSTER_IP)
    to.add(`${field}.cluster_ip`, "INVALID_COMBINATION", "cannot be None with type LOAD_BALANCER");
  to.within(spec.healthCheckNodePort, `${field}.health_check_node_port`, { min: 0, max: PORTS.max });
}

function checkPorts(ports: readonly ServicePort[], field: string, to: Violations): void {
  to.atMost(ports.length, field, MAX.ports);
  for (const [index, { name, port, target }] of ports.entries()) {
    const at = `${field}[${index}]`;
    if (ports.length > 1 || name !== "") checkLabelName(name, `${at}.name`, to);
    to.within(port, `${at}.port`, PORTS);
    if (target.case === "targetPort") to.within(target.value, `${at}.target_port`, PORTS);
    if (target.case === "targetPortName") checkLabelName(target.value, `${at}.target_port_name`, to);
  }
  to.unique(
    ports.map(({ name }) => name),
    (index) => `${field}[${index}].name`,
  );
  to.unique(
    ports.map(({ port, protocol }) => `${port}/${protocol === Protocol.UDP ? "UDP" : "TCP"}`),
    (index) => `${field}[${index}].port`,
  );
}

export function checkServiceStatus({ status }: Service, field: string, to: Violations): void {
  if (status === undefined) return;
  const ingress = status.loadBalancer?.ingress ?? [];
  to.atMost(ingress.length, `${field}.load_balancer.ingress`, MAX.ingress);
  for (const [index, { ip }] of ingress.entries()) checkIp(ip, `${field}.load_balancer.ingress[${index}].ip`, to);
  checkConditions(status.conditions, `${field}.conditions`, to);
}

/** What cannot change once the Service is there. */
export function checkServiceChange(before: Service, after: Service, to: Violations): void {
  const [was, is] = [before.spec, after.spec];
  if (was === undefined || is === undefined) return;
  if (was.clusterIp !== "" && is.clusterIp !== was.clusterIp)
    to.add("service.spec.cluster_ip", "IMMUTABLE", `cannot change from ${was.clusterIp}`);
  const isBalanced = was.type === ServiceType.LOAD_BALANCER && is.type === ServiceType.LOAD_BALANCER;
  if (isBalanced && is.loadBalancerClass !== was.loadBalancerClass)
    to.add("service.spec.load_balancer_class", "IMMUTABLE", "cannot change while the type is LOAD_BALANCER");
}

function checkIp(ip: string, field: string, to: Violations): void {
  const parsed = ip === "" ? undefined : parseIp(ip);
  if (parsed?.ok === false) to.add(field, "INVALID_FORMAT", parsed.error);
}
