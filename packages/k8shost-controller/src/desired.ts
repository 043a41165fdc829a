import { healthCheckMisfit, type ListenerProtocol, parseIp, type PoolProtocol, poolMisfit } from "@fiberlb/types";

import { PREFIX, readAnnotations, type Settings } from "./annotations.ts";
import {
  checkHealthCheck,
  checkListener,
  checkPool,
  type HealthCheckFields,
  type ListenerFields,
  type PoolFields,
} from "./desired-fields.ts";
import { backendsOf, type PortEndpoints, type PortId, portId } from "./endpoints.ts";
import type { Pod, Service, ServicePort } from "./objects.ts";
import { saidOfPort, strangePorts } from "./port-choice.ts";
import { type Problem, problemAt, problemIn } from "./problem.ts";

/** Everything that serves one port of a Service. */
export interface DesiredPort extends PortEndpoints {
  readonly listener: ListenerFields;
  readonly pool: PoolFields;
  readonly healthCheck: HealthCheckFields | undefined;
}

/** The load balancer that a Service asks for. */
export interface Desired {
  /** Canonical; absent: any. */
  readonly vipAddress: string | undefined;
  /** Absent: any. */
  readonly vipPool: string | undefined;
  readonly ports: readonly DesiredPort[];
}

/** What a Service wants. */
export type Wanted =
  | { readonly kind: "nothing" }
  | { readonly kind: "load-balancer"; readonly desired: Desired }
  /** It asks for something that cannot be: what there is stays as it is, but its backends go on following the Pods. */
  | { readonly kind: "endpoints"; readonly ports: readonly PortEndpoints[]; readonly problems: readonly Problem[] };

/** What there is beside the Service and its Pods. */
export interface Surroundings {
  /** Class that this controller serves, beside Services that name none. */
  readonly loadBalancerClass: string;
  /** Ids of the tenant's certificates, by name and by id. */
  readonly certificates: ReadonlyMap<string, string>;
}

/** Whether the Service is one for this controller, and is to have a load balancer. */
export const wantsLoadBalancer = ({ type, meta, loadBalancerClass = "" }: Service, ours: string): boolean =>
  type === "LoadBalancer" && meta.deletedAt === undefined && (loadBalancerClass === "" || loadBalancerClass === ours);

/** Whether the certificates of the tenant have to be known to say what the Service wants. */
export const namesCertificates = ({ meta }: Service): boolean => meta.annotations[`${PREFIX}certificate`] !== undefined;

/** What the Service wants, from the Pods that its selector matches. */
export function wantedOf(service: Service, pods: readonly Pod[], surroundings: Surroundings): Wanted {
  if (!wantsLoadBalancer(service, surroundings.loadBalancerClass)) return { kind: "nothing" };
  const { settings, problems } = readAnnotations(service.meta.annotations);
  const all: Problem[] = [...problems, ...portProblems(service, settings)];
  const certificateIds = resolveCertificates(settings, surroundings, all);
  const vip = service.loadBalancerIp ? parseIp(service.loadBalancerIp) : undefined;
  if (vip?.ok === false) all.push(problemAt("loadBalancerIP", vip.error));
  const context: PortContext = { service, settings, certificateIds, problems: all };
  const ports = service.ports.map((port) => ({
    port: portId(port),
    backends: backendsOf(port, pods, settings.healthCheckPort),
    ...fieldsOf(port, context),
  }));
  if (settings.certificates.length > 0 && ports.every(({ listener }) => !hasTls(listener.protocol))) {
    all.push(
      problemIn(`${PREFIX}certificate`, `is of no use: no port has protocol HTTPS or TLS; see ${PREFIX}protocol`),
    );
  }
  if (all.length > 0) return { kind: "endpoints", ports, problems: all };
  const vipAddress = vip?.ok === true ? vip.value : undefined;
  return { kind: "load-balancer", desired: { vipAddress, vipPool: settings.vipPool, ports } };
}

function portProblems({ ports }: Service, settings: Settings): Problem[] {
  const seen = new Set<PortId>();
  const twice = ports.filter((port) => seen.size === seen.add(portId(port)).size);
  const choices = { protocol: settings.protocol, "backend-protocol": settings.backendProtocol };
  return [
    ...(ports.length === 0 ? [problemAt("ports", "are missing: name at least one")] : []),
    ...twice.map((port) => problemAt("ports", `name ${portId(port)} twice`)),
    ...Object.entries(choices).flatMap(([name, choice]) =>
      strangePorts(choice, ports).map((port) =>
        problemIn(`${PREFIX}${name}`, `names port ${port}, which the Service does not have`),
      ),
    ),
  ];
}

function resolveCertificates(
  settings: Settings,
  { certificates }: Surroundings,
  problems: Problem[],
): readonly string[] {
  return settings.certificates.flatMap((name) => {
    const id = certificates.get(name);
    if (id !== undefined) return [id];
    problems.push(
      problemIn(`${PREFIX}certificate`, `names ${JSON.stringify(name)}, which is no certificate of the project`),
    );
    return [];
  });
}

interface PortContext {
  readonly service: Service;
  readonly settings: Settings;
  readonly certificateIds: readonly string[];
  readonly problems: Problem[];
}

/** Listener, pool and health check of a port; what is wrong with them is added to the problems. */
function fieldsOf(port: ServicePort, context: PortContext): Pick<DesiredPort, "listener" | "pool" | "healthCheck"> {
  const { service, settings, problems } = context;
  const protocol = listenerProtocol(port, context);
  const poolProtocol = poolProtocolOf(port, protocol, context);
  const listener = checkListener(
    {
      protocol,
      port: port.port,
      allowedCidrs: service.loadBalancerSourceRanges,
      certificateIds: hasTls(protocol) ? context.certificateIds : [],
    },
    { namesCertificates: settings.certificates.length > 0, problems },
  );
  const pool = checkPool(
    {
      protocol: poolProtocol,
      algorithm: settings.algorithm,
      // Version 1 is for connections; a UDP port beside TCP ones goes without.
      sendProxyProtocol: poolProtocol === "UDP" && settings.proxyProtocol === "V1" ? "NONE" : settings.proxyProtocol,
      ...(service.sessionAffinity === "ClientIP" && { sessionPersistence: { type: "SOURCE_IP" } }),
    },
    problems,
  );
  return { listener, pool, healthCheck: healthCheckOf(poolProtocol, context) };
}

const hasTls = (protocol: ListenerProtocol): boolean => protocol === "HTTPS" || protocol === "TLS";

/** The annotation for all ports is about TCP ports; one for a UDP port has to say UDP. */
function listenerProtocol(port: ServicePort, { settings, problems }: PortContext): ListenerProtocol {
  const said = saidOfPort(settings.protocol, port);
  const { protocol: transport } = port;
  if (said !== undefined && (said === "UDP") !== (transport === "UDP")) {
    problems.push(problemIn(`${PREFIX}protocol`, `says ${said} for ${portId(port)}, which is a ${transport} port`));
    return transport;
  }
  if (transport === "UDP") return "UDP";
  const { all } = settings.protocol;
  return said ?? (all === undefined || all === "UDP" ? "TCP" : all);
}

function poolProtocolOf(
  port: ServicePort,
  listener: ListenerProtocol,
  { settings, problems }: PortContext,
): PoolProtocol {
  if (listener === "UDP") return "UDP";
  const usual: PoolProtocol = listener === "HTTP" || listener === "HTTPS" ? "HTTP" : "TCP";
  const said = saidOfPort(settings.backendProtocol, port);
  // What is said of all ports is meant for those it fits: HTTPS to the backends of the HTTP ports, beside plain TCP ones.
  const { all = usual } = settings.backendProtocol;
  const protocol = said ?? (usual === "TCP" ? usual : all);
  const misfit = poolMisfit("", listener, protocol);
  if (misfit === undefined) return protocol;
  problems.push(
    problemIn(`${PREFIX}backend-protocol`, `says ${protocol} for ${portId(port)}, whose protocol is ${listener}`),
  );
  return usual;
}

function healthCheckOf(pool: PoolProtocol, { settings, problems }: PortContext): HealthCheckFields | undefined {
  if (settings.healthCheck === undefined) return undefined;
  const checked = checkHealthCheck(settings.healthCheck, problems);
  // A UDP port beside TCP ones cannot be probed by most types: its Pods' readiness decides there.
  return checked === undefined || healthCheckMisfit("", checked.type, pool) !== undefined ? undefined : checked;
}
