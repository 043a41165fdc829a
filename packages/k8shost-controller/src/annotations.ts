import {
  listenerProtocols,
  nearestName,
  poolAlgorithms,
  poolProtocols,
  proxyProtocolVersions,
  type ListenerProtocol,
  type PoolAlgorithm,
  type PoolProtocol,
  type ProxyProtocolVersion,
} from "@fiberlb/types";

import { type PortChoice, readPortChoice } from "./port-choice.ts";
import { type Problem, problemIn } from "./problem.ts";

/** What every annotation of the controller begins with. */
export const PREFIX = "fiberlb.io/";

/** Annotations of a Service, without their prefix. */
export const ANNOTATIONS = [
  "algorithm",
  "vip-pool",
  "proxy-protocol",
  "certificate",
  "protocol",
  "backend-protocol",
  "health-check-type",
  "health-check-port",
  "health-check-path",
  "health-check-host",
  "health-check-method",
  "health-check-expected-codes",
  "health-check-grpc-service",
  "health-check-interval-ms",
  "health-check-timeout-ms",
  "health-check-rise",
  "health-check-fall",
] as const;

type Annotation = (typeof ANNOTATIONS)[number];

/** What the annotations of a Service ask for. */
export interface Settings {
  /** MAGLEV when not asked for otherwise: backends come and go, and connections should not mind. */
  readonly algorithm: PoolAlgorithm;
  readonly vipPool: string | undefined;
  readonly proxyProtocol: ProxyProtocolVersion;
  /** Names or ids; the first is the default. */
  readonly certificates: readonly string[];
  readonly protocol: PortChoice<ListenerProtocol>;
  readonly backendProtocol: PortChoice<PoolProtocol>;
  /** As `CreateHealthCheck` takes it, not yet checked; absent: readiness of the Pods decides alone. */
  readonly healthCheck: Readonly<Record<string, unknown>> | undefined;
  /** Probed instead of each backend's port; 0 = that one. */
  readonly healthCheckPort: number;
}

type Report = (annotation: Annotation, description: string) => void;

/** The settings, and what is wrong with them; what is wrong has its default, so that the rest can be checked as well. */
export function readAnnotations(annotations: Readonly<Record<string, string>>): {
  readonly settings: Settings;
  readonly problems: readonly Problem[];
} {
  const problems: Problem[] = unknownAnnotations(annotations);
  const report: Report = (name, description) => problems.push(problemIn(`${PREFIX}${name}`, description));
  const given = (name: Annotation): string | undefined => annotations[`${PREFIX}${name}`]?.trim();
  const choice = <V extends string>(name: Annotation, allowed: readonly V[], otherwise: V): V => {
    const value = given(name)?.toUpperCase();
    if (value === undefined) return otherwise;
    if (allowed.includes(value as V)) return value as V;
    report(name, `must be one of ${allowed.join(", ")}, not ${JSON.stringify(given(name))}`);
    return otherwise;
  };
  const ports = <V extends string>(name: Annotation, allowed: readonly V[]): PortChoice<V> => {
    const { choice: found, wrong } = readPortChoice(given(name), allowed);
    for (const description of wrong) report(name, description);
    return found;
  };
  const settings: Settings = {
    algorithm: choice("algorithm", poolAlgorithms, "MAGLEV"),
    vipPool: notEmpty("vip-pool", given, report),
    proxyProtocol: choice("proxy-protocol", proxyProtocolVersions, "NONE"),
    certificates: listIn(given("certificate")),
    protocol: ports("protocol", listenerProtocols),
    backendProtocol: ports("backend-protocol", poolProtocols),
    healthCheck: readHealthCheck(given, report),
    healthCheckPort: wholeNumber("health-check-port", given, report) ?? 0,
  };
  return { settings, problems };
}

function unknownAnnotations(annotations: Readonly<Record<string, string>>): Problem[] {
  return Object.keys(annotations)
    .filter((key) => key.startsWith(PREFIX) && !ANNOTATIONS.some((name) => key === `${PREFIX}${name}`))
    .map((key) => {
      const near = nearestName(key.slice(PREFIX.length), ANNOTATIONS);
      return problemIn(key, near === undefined ? "is not known" : `is not known; did you mean ${PREFIX}${near}?`);
    });
}

type Given = (name: Annotation) => string | undefined;

function notEmpty(name: Annotation, given: Given, report: Report): string | undefined {
  if (given(name) === "") report(name, "is empty: name something, or remove it");
  return given(name) || undefined;
}

const listIn = (text: string | undefined): readonly string[] =>
  (text ?? "")
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");

function wholeNumber(name: Annotation, given: Given, report: Report): number | undefined {
  const text = given(name);
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  report(name, `must be a whole number, not ${JSON.stringify(text)}`);
  return undefined;
}

/** Which annotation each field of a health check comes from. */
export const HEALTH_CHECK_FIELDS = {
  type: "health-check-type",
  "http.path": "health-check-path",
  "http.host": "health-check-host",
  "http.method": "health-check-method",
  "http.expectedCodes": "health-check-expected-codes",
  grpcService: "health-check-grpc-service",
  intervalMs: "health-check-interval-ms",
  timeoutMs: "health-check-timeout-ms",
  rise: "health-check-rise",
  fall: "health-check-fall",
} as const satisfies Readonly<Record<string, Annotation>>;

const HTTP_ANNOTATIONS = [
  "health-check-path",
  "health-check-host",
  "health-check-method",
  "health-check-expected-codes",
] as const;

/** Any of the annotations asks for a check. Without a type it is HTTP when something says how to ask, else TCP. */
function readHealthCheck(given: Given, report: Report): Settings["healthCheck"] {
  const used = ANNOTATIONS.filter((name) => name.startsWith("health-check-") && given(name) !== undefined);
  if (used.length === 0) return undefined;
  const asksHttp = HTTP_ANNOTATIONS.some((name) => given(name) !== undefined);
  const implied = asksHttp ? "HTTP" : given("health-check-grpc-service") === undefined ? "TCP" : "GRPC";
  const number = (name: Annotation): number | undefined => wholeNumber(name, given, report);
  const http = {
    path: given("health-check-path"),
    host: given("health-check-host"),
    method: given("health-check-method")?.toUpperCase(),
    expectedCodes: given("health-check-expected-codes"),
  };
  return {
    type: given("health-check-type")?.toUpperCase().replaceAll("-", "_") ?? implied,
    ...(asksHttp && { http }),
    grpcService: given("health-check-grpc-service"),
    intervalMs: number("health-check-interval-ms"),
    timeoutMs: number("health-check-timeout-ms"),
    rise: number("health-check-rise"),
    fall: number("health-check-fall"),
  };
}
