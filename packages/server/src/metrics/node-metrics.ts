import type { BgpFigures } from "../announce/ability.ts";
import type { BackendFigures, ListenerFigures } from "../data/data-plane.ts";
import type { HealthFigures } from "../health/target.ts";
import type { Unit } from "../snapshot/snapshot.ts";
import type { MetricFamily, Sample } from "./exposition.ts";

/** Where the figures of a node come from; all of it is read at scrape time. */
export interface MetricSources {
  readonly units: readonly Unit[];
  readonly revision: number;
  readonly listenerFigures: (listenerId: string) => ListenerFigures;
  readonly backendFigures: (backendId: string) => BackendFigures;
  /** Whether a health check says that a backend is up; undefined without a verdict. */
  readonly isUp: (backendId: string) => boolean | undefined;
  readonly health: HealthFigures;
  readonly workerLosses: number;
  /** Connections that the kernel tracks for us, by conntrack's state; absent when nobody can tell. */
  readonly conntrackEntries?: ReadonlyMap<string, number>;
  /** Absent: this node does not speak BGP. */
  readonly bgp?: BgpFigures | undefined;
  /** Calls of the API that ended, by `method` and `code`. */
  readonly apiRequests: readonly Sample[];
}

type Labels = Readonly<Record<string, string>>;

/** Every metric of a node that this release has, as the contract names them. */
export function nodeMetrics(sources: MetricSources): readonly MetricFamily[] {
  return [
    ...listenerMetrics(sources),
    ...backendMetrics(sources),
    counter(
      "fiberlb_health_checks_total",
      "Health checks made, by result.",
      Object.entries(sources.health.checks)
        .filter(([, value]) => value > 0)
        .map(([result, value]) => ({ labels: { result }, value })),
    ),
    counter("fiberlb_health_transitions_total", "Changes of a backend's health.", [
      { labels: {}, value: sources.health.transitions },
    ]),
    gauge("fiberlb_config_revision", "Revision of the store that the data plane serves.", [
      { labels: {}, value: sources.revision },
    ]),
    counter("fiberlb_worker_losses_total", "Data plane workers that died and were replaced.", [
      { labels: {}, value: sources.workerLosses },
    ]),
    gauge(
      "fiberlb_conntrack_entries",
      "Connections of listeners in the kernel that conntrack knows, by its state.",
      Array.from(sources.conntrackEntries ?? [], ([state, value]) => ({ labels: { state }, value })),
    ),
    ...bgpMetrics(sources),
    counter("fiberlb_api_requests_total", "Calls of the API that have ended.", sources.apiRequests),
  ];
}

function bgpMetrics({ bgp }: MetricSources): readonly MetricFamily[] {
  if (bgp === undefined) return [];
  return [
    gauge(
      "fiberlb_bgp_session_up",
      "Whether the session with a router is established.",
      bgp.sessions.map(({ peer, isUp }) => ({ labels: { peer }, value: isUp ? 1 : 0 })),
    ),
    gauge("fiberlb_bgp_routes_announced", "Routes of this node that its BGP daemon has.", [
      { labels: {}, value: bgp.routes },
    ]),
  ];
}

const counter = (name: string, help: string, samples: readonly Sample[]): MetricFamily => ({
  name,
  type: "counter",
  help,
  samples,
});
const gauge = (name: string, help: string, samples: readonly Sample[]): MetricFamily => ({
  name,
  type: "gauge",
  help,
  samples,
});

function listenerMetrics({ units, listenerFigures }: MetricSources): readonly MetricFamily[] {
  const used = units.flatMap((unit) =>
    unit.listeners.flatMap((listener) => {
      const figures = listenerFigures(listener.id);
      const labels = { ...tenantLabels(unit), listener: listener.name };
      const isUsed = figures.connectionsTotal > 0 || Object.values(figures.rejected).some((count) => count > 0);
      return isUsed ? [{ labels, figures }] : [];
    }),
  );
  const each = (value: (figures: ListenerFigures) => number): Sample[] =>
    used.map(({ labels, figures }) => ({ labels, value: value(figures) }));
  return [
    counter(
      "fiberlb_listener_connections_total",
      "Connections accepted.",
      each((f) => f.connectionsTotal),
    ),
    gauge(
      "fiberlb_listener_connections_active",
      "Connections open now.",
      each((f) => f.connectionsActive),
    ),
    counter(
      "fiberlb_listener_bytes_total",
      "Bytes from clients (in) and to clients (out).",
      used.flatMap(({ labels, figures }) => [
        { labels: { ...labels, direction: "in" }, value: figures.bytesIn },
        { labels: { ...labels, direction: "out" }, value: figures.bytesOut },
      ]),
    ),
    counter(
      "fiberlb_listener_rejected_total",
      "Connections turned away, by reason.",
      used.flatMap(({ labels, figures }) =>
        Object.entries(figures.rejected)
          .filter(([, value]) => value > 0)
          .map(([reason, value]) => ({ labels: { ...labels, reason }, value })),
      ),
    ),
    counter(
      "fiberlb_listener_sources_forgotten_total",
      "Sources that left the table of rates before their time, because it was full.",
      used
        .filter(({ figures }) => figures.sourcesForgotten > 0)
        .map(({ labels, figures }) => ({ labels, value: figures.sourcesForgotten })),
    ),
  ];
}

function backendMetrics({ units, backendFigures, isUp }: MetricSources): readonly MetricFamily[] {
  const backends = units.flatMap((unit) =>
    unit.pools.flatMap((pool) =>
      pool.backends.map((backend) => ({
        labels: { ...tenantLabels(unit), pool: pool.name, backend: backend.name },
        figures: backendFigures(backend.id),
        up: isUp(backend.id),
      })),
    ),
  );
  const used = backends.filter(({ figures }) => figures.connectionsTotal + figures.connectErrorsTotal > 0);
  return [
    gauge(
      "fiberlb_backend_up",
      "1 when the backend's health check passes, 0 when it fails.",
      backends.flatMap(({ labels, up }) => (up === undefined ? [] : [{ labels, value: up ? 1 : 0 }])),
    ),
    gauge(
      "fiberlb_backend_connections_active",
      "Connections to the backend open now.",
      used.map(({ labels, figures }) => ({ labels, value: figures.connectionsActive })),
    ),
    gauge(
      "fiberlb_backend_ejected",
      "1 while the backend is left out because it failed real traffic (outlier detection), 0 after.",
      backends
        .filter(({ figures }) => figures.ejectionsTotal > 0)
        .map(({ labels, figures }) => ({ labels, value: figures.isEjected ? 1 : 0 })),
    ),
    counter(
      "fiberlb_backend_ejections_total",
      "Times that outlier detection left the backend out.",
      backends
        .filter(({ figures }) => figures.ejectionsTotal > 0)
        .map(({ labels, figures }) => ({ labels, value: figures.ejectionsTotal })),
    ),
    counter(
      "fiberlb_backend_connect_errors_total",
      "Connections to the backend that could not be made.",
      used.map(({ labels, figures }) => ({ labels, value: figures.connectErrorsTotal })),
    ),
  ];
}

const tenantLabels = (unit: Unit): Labels => ({ org: unit.orgId, project: unit.projectId, load_balancer: unit.name });
