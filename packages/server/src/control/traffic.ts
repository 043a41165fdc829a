/** Traffic of one listener since the data plane started. */
export interface ListenerTraffic {
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly connectionsActive: number;
  readonly connectionsTotal: number;
  /** Connections turned away, by reason. */
  readonly rejected: Readonly<Record<string, number>>;
}

/** Where the control plane reads traffic figures: the data plane's `listenerFigures`. */
export interface TrafficReader {
  listenerFigures(listenerId: string): ListenerTraffic;
  /** Reads what must be asked for, if it is not fresh. Never rejects. */
  refreshFigures?(): Promise<void>;
}

/** For a process without a data plane. */
export const noTraffic: TrafficReader = {
  listenerFigures: () => ({ bytesIn: 0, bytesOut: 0, connectionsActive: 0, connectionsTotal: 0, rejected: {} }),
};
