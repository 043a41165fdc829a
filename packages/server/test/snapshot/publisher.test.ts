import { describe, expect, it } from "@jest/globals";

import { silentLog } from "../../src/log.ts";
import type { TreeAddress } from "../../src/repository/tree.ts";
import type { UnitChange } from "../../src/repository/unit-changes.ts";
import { type CertificateAnswer, CertificateShelf } from "../../src/snapshot/certificate-shelf.ts";
import type { UnitSource } from "../../src/snapshot/compile.ts";
import { type Published, Publisher, type PublisherSource } from "../../src/snapshot/publisher.ts";
import { FakeClock } from "../fake-clock.ts";
import { server, unusable } from "./certificates.ts";
import { entity, nextId } from "./entities.ts";

/** A store in memory whose changes the test makes. */
class Source implements PublisherSource {
  readonly trees = new Map<string, UnitSource>();
  revision = 1;
  fail: Error | undefined;
  /** What the last read was given. */
  previous: UnitSource | undefined;
  readonly #changes: UnitChange[] = [];
  #wake: (() => void) | undefined;

  put(one: UnitSource): void {
    this.trees.set(one.loadBalancer.id, one);
    this.announce(one.loadBalancer.id);
  }
  delete(id: string): void {
    this.trees.delete(id);
    this.push({ type: "changed", revision: ++this.revision, changed: [], removed: [id] });
  }
  announce(...ids: string[]): void {
    const changed = ids.map((loadBalancerId) => ({ tenant: { orgId: "acme", projectId: "web" }, loadBalancerId }));
    this.push({ type: "changed", revision: ++this.revision, changed, removed: [] });
  }
  push(change: UnitChange): void {
    this.#changes.push(change);
    this.#wake?.();
  }
  loadAll() {
    return Promise.resolve({ revision: this.revision, trees: [...this.trees.values()] });
  }
  readTree({ loadBalancerId }: TreeAddress, previous: UnitSource | undefined) {
    this.previous = previous;
    return Promise.resolve(this.trees.get(loadBalancerId));
  }
  async *watch(from: number, signal: AbortSignal): AsyncIterable<UnitChange> {
    while (!signal.aborted) {
      if (this.fail !== undefined) {
        const error = this.fail;
        this.fail = undefined;
        throw error;
      }
      const next = this.#changes.shift();
      if (next?.type === "changed" && next.revision < from) continue;
      if (next !== undefined) yield next;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
          signal.addEventListener("abort", () => resolve(), { once: true });
        });
    }
  }
}

function tree(name: string, backend = "10.0.0.1"): UnitSource {
  const loadBalancer = entity("loadBalancer", { name, record: { vipAddress: "127.10.0.1", vipPool: "default" } });
  const pool = entity("pool", { loadBalancerId: loadBalancer.id });
  return {
    loadBalancer,
    listeners: [],
    pools: [pool],
    backends: [entity("backend", { poolId: pool.id, address: backend, port: 80 })],
    healthChecks: [],
    l7Policies: [],
    l7Rules: [],
  };
}

/** A load balancer with an HTTPS listener of these certificates. */
function secureTree(name: string, ...certificateIds: string[]): UnitSource {
  const plain = tree(name);
  const { id: loadBalancerId } = plain.loadBalancer;
  return {
    ...plain,
    listeners: [entity("listener", { loadBalancerId, protocol: "HTTPS", port: 443, certificateIds })],
  };
}

/** A certificate may be put here, or an error that asking for it ends with. */
const certificates = new Map<string, CertificateAnswer | Error>();
let asked: string[] = [];

function createShelf(): CertificateShelf {
  asked = [];
  return new CertificateShelf(({ owner, id }) => {
    asked.push(`${owner.orgId}/${owner.projectId}/${id}`);
    const found = certificates.get(id) ?? unusable(id);
    return found instanceof Error ? Promise.reject(found) : Promise.resolve(found);
  });
}

function setUp({ hold = false } = {}) {
  const source = new Source();
  const clock = new FakeClock();
  const got: Published[] = [];
  const resolved = new Map<string, string>();
  const waiting: (() => void)[] = [];
  let wake: (() => void) | undefined;
  const shelf = createShelf();
  const publisher = new Publisher({
    source,
    certificates: shelf,
    clock,
    log: silentLog,
    resolveHost: (host) => {
      const address = /^[\d.]+$/.test(host) ? host : resolved.get(host);
      return address === undefined ? {} : { address };
    },
    onSnapshot: async (published) => {
      got.push(published);
      wake?.();
      if (hold && got.length > 1) await new Promise<void>((resolve) => waiting.push(resolve));
    },
  });
  /** Waits until so many snapshots were handed over. */
  const until = async (count: number): Promise<Published> => {
    while (got.length < count) await new Promise<void>((resolve) => (wake = resolve));
    return got[count - 1]!;
  };
  return { source, clock, publisher, got, until, resolved, waiting, shelf };
}

describe("Publisher", () => {
  it("hands over everything at its start", async () => {
    const { source, publisher, got } = setUp();
    source.put(tree("a"));
    source.put(tree("b"));
    await publisher.start();
    expect(got[0]!.snapshot.units.size).toBe(2);
    expect(got[0]!.snapshot.revision).toBe(source.revision);
    await publisher.stop();
  });

  it("keeps units that did not change the same object", async () => {
    const { source, publisher, until } = setUp();
    const [a, b] = [tree("a"), tree("b")];
    source.put(a);
    source.put(b);
    await publisher.start();
    const before = (await until(1)).snapshot.units;
    source.put({ ...a, backends: [] });
    const after = (await until(2)).snapshot.units;
    expect(after.get(b.loadBalancer.id)).toBe(before.get(b.loadBalancer.id));
    expect(after.get(a.loadBalancer.id)!.pools[0]!.backends).toEqual([]);
    expect(before.get(a.loadBalancer.id)!.pools[0]!.backends).toHaveLength(1);
    await publisher.stop();
  });

  it("keeps even a touched unit the same object when nothing in it changed for the data path", async () => {
    const { source, publisher, until } = setUp();
    const a = tree("a");
    source.put(a);
    await publisher.start();
    const before = (await until(1)).snapshot.units;
    source.put({ ...a, loadBalancer: { ...a.loadBalancer, description: "new words" } });
    const after = await until(2);
    expect(after.snapshot.units.get(a.loadBalancer.id)).toBe(before.get(a.loadBalancer.id));
    expect(after.snapshot.revision).toBe(source.revision);
    await publisher.stop();
  });

  it("drops what was deleted", async () => {
    const { source, publisher, until } = setUp();
    const a = tree("a");
    source.put(a);
    await publisher.start();
    source.delete(a.loadBalancer.id);
    expect((await until(2)).snapshot.units.size).toBe(0);
    await publisher.stop();
  });

  it("gathers changes that come while a snapshot is being applied into one", async () => {
    const { source, publisher, got, until, waiting } = setUp({ hold: true });
    await publisher.start();
    source.put(tree("a"));
    await until(2);
    for (const name of ["b", "c", "d"]) source.put(tree(name));
    // All of them are read while the second snapshot is still being applied.
    await new Promise((resolve) => setImmediate(resolve));
    waiting.shift()!();
    const third = await until(3);
    expect(third.snapshot.units.size).toBe(4);
    expect(got).toHaveLength(3);
    waiting.shift()!();
    await publisher.stop();
  });

  it("reads everything afresh when the history is gone", async () => {
    const { source, publisher, until } = setUp();
    const a = tree("a");
    source.put(a);
    await publisher.start();
    source.trees.clear();
    const b = tree("b");
    source.trees.set(b.loadBalancer.id, b);
    source.push({ type: "reload" });
    let units = (await until(2)).snapshot.units;
    for (let next = 3; units.has(a.loadBalancer.id); next++) ({ units } = (await until(next)).snapshot);
    expect([...units.keys()]).toEqual([b.loadBalancer.id]);
    await publisher.stop();
  });

  it("goes on after the store was lost", async () => {
    const { source, publisher, until, clock } = setUp();
    await publisher.start();
    source.fail = new Error("store not reachable");
    source.announce();
    while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve));
    source.put(tree("a"));
    clock.advance(1000);
    let units = (await until(1)).snapshot.units;
    for (let next = 2; units.size === 0; next++) ({ units } = (await until(next)).snapshot);
    expect(units.size).toBe(1);
    await publisher.stop();
  });

  it("names what it read since the last hand-over, and what has gone", async () => {
    const { source, publisher, until } = setUp();
    const [a, b, c] = [tree("a"), tree("b"), tree("c")];
    for (const one of [a, b, c]) source.put(one);
    await publisher.start();
    expect((await until(1)).touched).toEqual(new Set([a, b, c].map(({ loadBalancer }) => loadBalancer.id)));
    source.put({ ...a, backends: [] });
    expect((await until(2)).touched).toEqual(new Set([a.loadBalancer.id]));
    source.delete(b.loadBalancer.id);
    expect((await until(3)).touched).toEqual(new Set([b.loadBalancer.id]));
    await publisher.stop();
  });

  it("reads a load balancer with what it read before", async () => {
    const { source, publisher, until } = setUp();
    const a = tree("a");
    source.put(a);
    await publisher.start();
    source.put({ ...a, backends: [] });
    await until(2);
    expect(source.previous).toBe(a);
    await publisher.stop();
  });

  it("hands over the names of backends and monitors, the same object while they stay", async () => {
    const { source, publisher, until } = setUp();
    const a = tree("a", "app.internal");
    source.put(a);
    await publisher.start();
    const { names } = await until(1);
    expect([...names]).toEqual(["app.internal"]);
    source.put(tree("b", "10.0.0.2"));
    expect((await until(2)).names).toBe(names);
    const monitored = { ...a, backends: a.backends.map((one) => ({ ...one, monitorAddress: "probe.internal" })) };
    source.put(monitored as unknown as UnitSource);
    expect([...(await until(3)).names]).toEqual(["app.internal", "probe.internal"]);
    source.delete(a.loadBalancer.id);
    expect((await until(4)).names.size).toBe(0);
    await publisher.stop();
  });

  it("compiles again what a name stood for", async () => {
    const { source, publisher, until, resolved } = setUp();
    const a = tree("a", "app.internal");
    source.put(a);
    await publisher.start();
    resolved.set("app.internal", "10.9.9.9");
    publisher.resolved(new Set(["app.internal"]));
    const { snapshot, touched } = await until(2);
    expect(snapshot.units.get(a.loadBalancer.id)!.pools[0]!.backends[0]!.address).toBe("10.9.9.9");
    expect(touched).toEqual(new Set([a.loadBalancer.id]));
    await publisher.stop();
  });
});

describe("Publisher with certificates", () => {
  /** Certificates that can be had. */
  const issue = (): string => {
    const id = nextId();
    certificates.set(id, server(id));
    return id;
  };
  const tlsOf = (published: Published, { loadBalancer }: UnitSource) =>
    published.snapshot.units.get(loadBalancer.id)!.listeners[0]?.tls;

  it("has those of every load balancer at hand at its start, and asks for none where none is named", async () => {
    const { source, publisher, until } = setUp();
    const [first, second] = [issue(), issue()];
    const [a, b] = [secureTree("a", first), secureTree("b", first, second)];
    for (const one of [a, b, tree("c")]) source.put(one);
    await publisher.start();
    const published = await until(1);
    expect(tlsOf(published, a)?.certificates.map(({ id }) => id)).toEqual([first]);
    expect(tlsOf(published, b)?.certificates.map(({ id }) => id)).toEqual([first, second]);
    expect(tlsOf(published, a)?.certificates[0]).toBe(tlsOf(published, b)?.certificates[0]);
    expect(asked.toSorted()).toEqual([`acme/web/${first}`, `acme/web/${second}`]);
    await publisher.stop();
  });

  it("reads those of a change before it is handed over, and drops those that it replaces", async () => {
    const { source, publisher, until, shelf } = setUp();
    const [before, after] = [issue(), issue()];
    const a = secureTree("a", before);
    source.put(a);
    await publisher.start();
    const changed = { ...a, listeners: a.listeners.map((one) => ({ ...one, certificateIds: [after] })) };
    source.put(changed as unknown as UnitSource);
    expect(tlsOf(await until(2), a)?.certificates.map(({ id }) => id)).toEqual([after]);
    expect(shelf.find(before).ok).toBe(false);
    source.delete(a.loadBalancer.id);
    await until(3);
    expect(shelf.find(after).ok).toBe(false);
    await publisher.stop();
  });

  it("keeps the unit the same object while its certificates stay", async () => {
    const { source, publisher, until } = setUp();
    const a = secureTree("a", issue());
    source.put(a);
    await publisher.start();
    const { snapshot: before } = await until(1);
    source.put({ ...a, loadBalancer: { ...a.loadBalancer, description: "new words" } });
    const { snapshot: after } = await until(2);
    expect(after.units.get(a.loadBalancer.id)).toBe(before.units.get(a.loadBalancer.id));
    await publisher.stop();
  });

  it("goes on with all others when one cannot be had", async () => {
    const { source, publisher, until } = setUp();
    const [a, b] = [secureTree("a", nextId()), secureTree("b", issue())];
    source.put(a);
    source.put(b);
    await publisher.start();
    const published = await until(1);
    expect(published.snapshot.units.get(a.loadBalancer.id)!.listeners).toEqual([]);
    expect(published.snapshot.units.get(b.loadBalancer.id)!.listeners).toHaveLength(1);
    await publisher.stop();
  });

  it("tries again when the store did not answer", async () => {
    const { source, publisher, until, clock } = setUp();
    await publisher.start();
    const id = nextId();
    certificates.set(id, new Error("store not reachable"));
    const a = secureTree("a", id);
    source.put(a);
    while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve));
    certificates.set(id, server(id));
    source.announce(a.loadBalancer.id);
    clock.advance(1000);
    expect(tlsOf(await until(2), a)?.certificates).toHaveLength(1);
    await publisher.stop();
  });
});
