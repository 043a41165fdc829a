import { readFileSync } from "node:fs";
import net from "node:net";

import type { Probe, ProbeOptions, ProbeResult } from "../../src/health/probes/probe.ts";
import { FakeClock } from "./fake-clock.ts";

const pem = (name: string): string => readFileSync(new URL(`fixtures/${name}`, import.meta.url), "utf8");

/** A CA of the tests' own; see fixtures/README.md. */
export const caPem = pem("ca.pem");
/** By that CA, for localhost, backend.test, 127.0.0.1 and ::1. */
export const serverCertificate = { cert: pem("server.pem"), key: pem("server.key") };
/** The same, valid only in the year 2000. */
export const expiredCertificate = { cert: pem("expired.pem"), key: pem("server.key") };

/** Servers of one test: opened on a free port of 127.0.0.1, closed with every connection at the end. */
export class Servers {
  readonly #open: net.Server[] = [];
  readonly #sockets = new Set<net.Socket>();
  #onEmpty: () => void = () => {};
  #accepted: () => void = () => {};
  /** Resolves when the first connection has been accepted. */
  readonly accepted = new Promise<void>((resolve) => (this.#accepted = resolve));

  /** @returns the port. */
  listen(server: net.Server): Promise<number> {
    this.#open.push(server);
    // A test that fails before its end must not keep jest alive.
    server.unref();
    server.on("connection", (socket: net.Socket) => this.#track(socket));
    return new Promise((resolve) => {
      server.listen(0, "127.0.0.1", () => resolve((server.address() as net.AddressInfo).port));
    });
  }

  /** Resolves once no client holds a connection any more. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
      if (this.#sockets.size === 0) resolve();
    });
  }

  async close(): Promise<void> {
    const closing = this.#open.map((server) => new Promise((resolve) => server.close(resolve)));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closing);
  }

  #track(socket: net.Socket): void {
    this.#sockets.add(socket);
    this.#accepted();
    socket.unref();
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0) this.#onEmpty();
    });
  }
}

/** Says the same to every client after its first byte, then does as told. */
export const rawServer = (says: string | Buffer, then: "keeps quiet" | "closes" = "keeps quiet"): net.Server =>
  net.createServer((socket) => {
    socket.once("data", () => {
      if (then === "closes") socket.end(says);
      else socket.write(says);
    });
  });

/** A check under way, with its own time. */
export interface RunningProbe {
  readonly result: Promise<ProbeResult>;
  readonly clock: FakeClock;
  readonly abort: () => void;
}

interface ProbeSettings extends ProbeOptions {
  readonly host?: string;
  readonly address?: string;
}

/** Starts a check of 127.0.0.1 whose 2000 ms pass only by its clock. */
export function startProbe(probe: Probe, port: number, settings: ProbeSettings = {}): RunningProbe {
  const { address = "127.0.0.1", host = address, ...options } = settings;
  const clock = new FakeClock();
  const controller = new AbortController();
  const result = probe({ address, host, port }, options, { clock, timeoutMs: 2000, signal: controller.signal });
  return { result, clock, abort: () => controller.abort() };
}

/** Runs a check to its end and answers `passed`, or the reason with the port as PORT. */
export async function verdictOf(probe: Probe, port: number, settings: ProbeSettings = {}): Promise<string> {
  return wordsOf(await startProbe(probe, port, settings).result, port);
}

/** {@link verdictOf} of a result. */
export const wordsOf = (result: ProbeResult, port: number): string =>
  result.passed ? "passed" : result.reason.replaceAll(`:${port}`, ":PORT");
