import type { AnnounceReport, PeerStatus, Route, Speaker, SpeakerStatus } from "@fiberlb/bgp-speaker";

/** A speaker whose daemon is what the test says. */
export class FakeSpeaker implements Speaker {
  /** What was announced, set by set. */
  readonly sets: (readonly Route[])[] = [];
  isClosed = false;
  #status: SpeakerStatus = { daemon: { state: "ready", reason: "" }, peers: [], routes: { desired: 0, held: 0 } };
  readonly #listeners = new Set<(status: SpeakerStatus) => void>();
  #failure: Error | undefined;

  /** Prefixes that are announced now. */
  get prefixes(): readonly string[] {
    return (this.sets.at(-1) ?? []).map(({ prefix }) => prefix);
  }

  /** The daemon can't be reached from now on, or can again. */
  fail(reason: string | undefined): void {
    this.#failure = reason === undefined ? undefined : new Error(reason);
    const daemon = { state: reason === undefined ? ("ready" as const) : ("connecting" as const), reason: reason ?? "" };
    this.change({ daemon, routes: { ...this.#status.routes, held: 0 } });
  }

  change(part: Partial<SpeakerStatus>): void {
    this.#status = { ...this.#status, ...part };
    for (const listener of this.#listeners) listener(this.#status);
  }

  setPeers(...peers: readonly Partial<PeerStatus>[]): void {
    const whole = { address: "10.0.0.254", asn: 64500, state: "ESTABLISHED", advertised: 0 } as PeerStatus;
    this.change({ peers: peers.map((peer) => ({ ...whole, ...peer })) });
  }

  announce(routes: readonly Route[]): Promise<AnnounceReport> {
    this.sets.push(routes);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#status = { ...this.#status, routes: { desired: routes.length, held: routes.length } };
    return Promise.resolve({ added: routes, withdrawn: [], unchanged: 0 });
  }

  status(): SpeakerStatus {
    return this.#status;
  }

  onStatus(listener: (status: SpeakerStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}
