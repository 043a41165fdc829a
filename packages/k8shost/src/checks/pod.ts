import { equals } from "@bufbuild/protobuf";
import {
  type Affinity,
  type Container,
  type Pod,
  type PodAffinity,
  type PodSpec,
  PodSpecSchema,
  type PodStatus,
} from "@fiberlb/api/k8shost";
import { parseIp } from "@fiberlb/types";

import { checkConditions, checkExpressions, checkLabels, checkSelector } from "./meta.ts";
import { checkLabelName, checkQualifiedName, checkSubdomainName } from "./names.ts";
import type { Violations } from "./violations.ts";

const MAX = { containers: 32, ports: 64, env: 256, arguments: 256, argumentChars: 32_768, imageChars: 512, terms: 32 };
const MAX_GRACE_S = 86_400;
const PORTS = { min: 1, max: 65_535 };
const WEIGHTS = { min: 1, max: 100 };

/** What a Pod wants, at its creation or as a Deployment's template. */
export function checkPodSpec(spec: PodSpec | undefined, field: string, to: Violations): void {
  if (spec === undefined || spec.containers.length === 0) to.require(false, `${field}.containers`);
  if (spec === undefined) return;
  to.atMost(spec.containers.length, `${field}.containers`, MAX.containers);
  for (const [index, container] of spec.containers.entries())
    checkContainer(container, `${field}.containers[${index}]`, to);
  to.unique(
    spec.containers.map(({ name }) => name),
    (index) => `${field}.containers[${index}].name`,
  );
  to.unique(
    spec.containers.flatMap(({ ports }) => ports.map(({ name }) => name)),
    () => `${field}.containers.ports.name`,
  );
  checkLabels(spec.nodeSelector, `${field}.node_selector`, to);
  if (spec.nodeName !== "") checkSubdomainName(spec.nodeName, `${field}.node_name`, to);
  to.within(spec.terminationGracePeriodS ?? 0, `${field}.termination_grace_period_s`, { min: 0, max: MAX_GRACE_S });
  if (spec.affinity !== undefined) checkAffinity(spec.affinity, `${field}.affinity`, to);
}

function checkContainer(container: Container, field: string, to: Violations): void {
  checkLabelName(container.name, `${field}.name`, to);
  to.require(container.image !== "", `${field}.image`);
  to.short(container.image, `${field}.image`, MAX.imageChars);
  for (const list of ["command", "args"] as const) {
    to.atMost(container[list].length, `${field}.${list}`, MAX.arguments);
    for (const [index, text] of container[list].entries())
      to.short(text, `${field}.${list}[${index}]`, MAX.argumentChars);
  }
  to.atMost(Object.keys(container.env).length, `${field}.env`, MAX.env);
  to.atMost(container.ports.length, `${field}.ports`, MAX.ports);
  for (const [index, { name, containerPort }] of container.ports.entries()) {
    if (name !== "") checkLabelName(name, `${field}.ports[${index}].name`, to);
    to.within(containerPort, `${field}.ports[${index}].container_port`, PORTS);
  }
  const { requests, limits } = container;
  for (const amount of ["cpuMillis", "memoryBytes"] as const) {
    const [least, most] = [requests?.[amount] ?? 0n, limits?.[amount] ?? 0n];
    const name = amount === "cpuMillis" ? "cpu_millis" : "memory_bytes";
    if (most > 0n && least > most)
      to.add(`${field}.requests.${name}`, "INVALID_COMBINATION", `must be at most the limit ${most}, not ${least}`);
  }
}

function checkAffinity({ nodeAffinity, podAffinity, podAntiAffinity }: Affinity, field: string, to: Violations): void {
  if (nodeAffinity !== undefined) {
    const { required, preferred } = nodeAffinity;
    to.atMost(required.length, `${field}.node_affinity.required`, MAX.terms);
    to.atMost(preferred.length, `${field}.node_affinity.preferred`, MAX.terms);
    const options = { to, comparesNumbers: true };
    for (const [index, term] of required.entries())
      checkExpressions(term.matchExpressions, `${field}.node_affinity.required[${index}].match_expressions`, options);
    for (const [index, { weight, term }] of preferred.entries()) {
      const at = `${field}.node_affinity.preferred[${index}]`;
      to.within(weight, `${at}.weight`, WEIGHTS);
      checkExpressions(term?.matchExpressions ?? [], `${at}.term.match_expressions`, options);
    }
  }
  checkPodAffinity(podAffinity, `${field}.pod_affinity`, to);
  checkPodAffinity(podAntiAffinity, `${field}.pod_anti_affinity`, to);
}

function checkPodAffinity(affinity: PodAffinity | undefined, field: string, to: Violations): void {
  if (affinity === undefined) return;
  const terms = [
    ...affinity.required.map((term, index) => ({ term, at: `${field}.required[${index}]` })),
    ...affinity.preferred.map(({ term }, index) => ({ term, at: `${field}.preferred[${index}].term` })),
  ];
  to.atMost(terms.length, field, MAX.terms);
  for (const [index, { weight }] of affinity.preferred.entries())
    to.within(weight, `${field}.preferred[${index}].weight`, WEIGHTS);
  for (const { term, at } of terms) {
    checkSelector(term?.labelSelector, `${at}.label_selector`, to);
    if (term !== undefined && term.topologyKey !== "") checkQualifiedName(term.topologyKey, `${at}.topology_key`, to);
  }
}

export function checkPodStatus(status: PodStatus | undefined, field: string, to: Violations): void {
  if (status === undefined) return;
  for (const [name, ip] of [
    ["pod_ip", status.podIp],
    ["host_ip", status.hostIp],
  ] as const) {
    const parsed = ip === "" ? undefined : parseIp(ip);
    if (parsed?.ok === false) to.add(`${field}.${name}`, "INVALID_FORMAT", parsed.error);
  }
  checkConditions(status.conditions, `${field}.conditions`, to);
}

/** Of a Pod that exists only the node can be filled in, once. */
export function checkPodChange(before: Pod, after: Pod, to: Violations): void {
  if (before.spec === undefined || after.spec === undefined) return;
  if (before.spec.nodeName !== "" && after.spec.nodeName !== before.spec.nodeName)
    to.add("pod.spec.node_name", "IMMUTABLE", `cannot change: the Pod is on ${before.spec.nodeName}`);
  const moved = { ...after.spec, nodeName: before.spec.nodeName };
  if (!equals(PodSpecSchema, before.spec, moved))
    to.add("pod.spec", "IMMUTABLE", "cannot change except for node_name: make a new Pod");
}
