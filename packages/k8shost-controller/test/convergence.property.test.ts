import { Code, ConnectError } from "@connectrpc/connect";
import { test } from "@jest/globals";
import fc from "fast-check";

import { type Controller, createController, FINALIZER, type Pod, READY_CONDITION, type Service } from "../src/index.ts";
import { FakeFiberlb } from "./fake-fiberlb.ts";
import { FakeSource, meta, pod, service, TENANT } from "./fake-source.ts";

const NAMES = ["a", "b"] as const;
type Name = (typeof NAMES)[number];

interface World {
  readonly source: FakeSource;
  readonly fiberlb: FakeFiberlb;
  controller: Controller;
  /** Makes uids and Pods' addresses that were never there before. */
  serial: number;
  /** VIP that each Service, by uid, has shown as long as it asked for nothing else. */
  readonly vips: Map<string, string>;
}

const start = ({ source, fiberlb }: Pick<World, "source" | "fiberlb">): Controller =>
  createController({ source, fiberlb: fiberlb.client });

/** One thing that happens, as a command to the world. */
type Step = (world: World) => void | Promise<void>;

const name = fc.constantFrom(...NAMES);
const podNumber = fc.integer({ min: 1, max: 4 });

const PORTS = {
  one: [{ name: "", port: 80, targetPort: 8080, protocol: "TCP" }],
  two: [
    { name: "http", port: 80, targetPort: 8080, protocol: "TCP" },
    { name: "dns", port: 53, targetPort: "dns", protocol: "UDP" },
  ],
  moved: [{ name: "", port: 81, targetPort: 9090, protocol: "TCP" }],
} as const;

const ANNOTATIONS = {
  none: {},
  http: { "fiberlb.io/protocol": "80=HTTP,81=HTTP" },
  check: { "fiberlb.io/health-check-path": "/healthz" },
  broken: { "fiberlb.io/algorithm": "best" },
} as const;

const strange: fc.Arbitrary<Step> = fc.oneof(
  name.map((one): Step => (world) => {
    const uid = `uid-${one}-${++world.serial}`;
    if (world.source.service(one) === undefined) world.source.put(service(one, { meta: { uid } }));
  }),
  name.map(
    (one): Step =>
      ({ source }) =>
        source.deleteService(one),
  ),
  fc.tuple(name, fc.constantFrom("LoadBalancer" as const, "ClusterIP" as const)).map(([one, type]): Step => (world) => {
    world.source.change(one, { type: type });
    if (type === "ClusterIP") forget(world, one);
  }),
  fc.tuple(name, fc.constantFrom(...Object.values(PORTS))).map(
    ([one, ports]): Step =>
      ({ source }) =>
        source.change(one, { ports: [...ports] }),
  ),
  // Impossible together with ports it does not name: then nothing but the backends is to change.
  fc.tuple(name, fc.constantFrom(...Object.values(ANNOTATIONS))).map(
    ([one, annotations]): Step =>
      ({ source }) =>
        source.change(one, { meta: { annotations: { ...annotations } } }),
  ),
  fc.tuple(name, fc.constantFrom(undefined, "127.20.0.1", "127.20.0.2")).map(([one, vip]): Step => (world) => {
    const before = world.source.service(one);
    if (before === undefined || before.loadBalancerIp === vip) return;
    const { loadBalancerIp: _, ...rest } = before;
    world.source.put(vip === undefined ? rest : { ...rest, loadBalancerIp: vip });
  }),
  fc.tuple(name, podNumber).map(([app, n]): Step => (world) => {
    world.source.put(
      pod(app, n, { podIp: `10.0.${++world.serial >> 8}.${world.serial & 255}`, namedPorts: { dns: 5353 } }),
    );
  }),
  fc
    .tuple(name, podNumber, fc.boolean())
    .map(([app, n, ready]): Step => changePod(app, n, (one) => ({ ...one, ready }))),
  fc
    .tuple(name, podNumber)
    .map(([app, n]): Step =>
      changePod(app, n, (one) => ({ ...one, meta: { ...one.meta, deletedAt: "2026-01-01T00:00:00.000Z" } })),
    ),
  fc.tuple(name, podNumber).map(
    ([app, n]): Step =>
      ({ source }) =>
        source.removePod(app, n),
  ),
);

const look: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: name.map(
      (one): Step =>
        async ({ controller }) =>
          void (await controller.reconcile(meta(one))),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constant<Step>(({ controller }) => attempt(controller.reconcileAll())),
  },
  // A process that ends in the middle of things: the next one knows nothing.
  {
    weight: 1,
    arbitrary: fc.constant<Step>(async (world) => {
      await world.controller.stop();
      world.controller = start(world);
    }),
  },
);

/** The call that fails counted from now, and whether it happens all the same. */
const fault: fc.Arbitrary<Step> = fc
  .record({
    calls: fc.integer({ min: 0, max: 15 }),
    where: fc.constantFrom("before", "after", "source"),
    times: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ calls, where, times }): Step => ({ source, fiberlb }) => {
    let left = calls;
    const fail = (): void => {
      left -= 1;
      if (left < 0 && left >= -times) throw new ConnectError("not reached", Code.Unavailable);
    };
    if (where === "source") source.before = fail;
    else fiberlb[where] = fail;
  });

function changePod(app: Name, n: number, change: (one: Pod) => Pod): Step {
  return ({ source }) => {
    const known = [...source.pods.values()].find((one) => one.meta.name === `${app}-${n}`);
    if (known !== undefined) source.put(change(known));
  };
}

/** The Service may get another address from now on. */
const forget = ({ source, vips }: World, one: string): void => void vips.delete(source.service(one)?.meta.uid ?? "");

const attempt = async (run: Promise<unknown>): Promise<void> => void (await run.catch(() => undefined));

/** An address that clients have been told stays the same, unless the Service asks for another one. */
function checkVips({ source, vips }: World): void {
  for (const one of source.services.values()) {
    const {
      meta: { uid },
      ingressIps: [vip],
      loadBalancerIp: asked,
    } = one;
    const known = vips.get(uid);
    if (vip === undefined || (asked !== undefined && asked !== vip)) continue;
    if (asked === undefined && known !== undefined && known !== vip) {
      throw new Error(`the VIP of ${uid} changed from ${known} to ${vip}`);
    }
    vips.set(uid, vip);
  }
}

/** Until a look at everything finds nothing to do. */
async function settle(world: World): Promise<void> {
  const { source, fiberlb } = world;
  fiberlb.before = fiberlb.after = source.before = () => undefined;
  await world.controller.stop();
  world.controller = start(world);
  for (let round = 0; round < 10; round += 1) {
    const { due } = await world.controller.reconcileAll();
    for (const key of due) await world.controller.reconcile(key);
    if (due.length === 0) return;
  }
  throw new Error("still something to do after ten rounds");
}

/** What there has to be, told another way than the plan tells it. */
function checkEnd({ source, fiberlb }: World): void {
  const services = [...source.services.values()];
  const served = services.filter(({ type, meta: { deletedAt } }) => type === "LoadBalancer" && deletedAt === undefined);
  const owners = fiberlb.rows("loadBalancer").map(({ tags }) => tags["fiberlb.io/service-uid"]);
  if (new Set(owners).size !== owners.length) throw new Error(`two load balancers of one Service: ${owners.join()}`);
  for (const uid of owners) if (!served.some((one) => one.meta.uid === uid)) throw new Error(`orphan of ${uid}`);
  for (const one of services) checkService(one, fiberlb);
}

function checkService(one: Service, fiberlb: FakeFiberlb): void {
  const isServed = one.type === "LoadBalancer" && one.meta.deletedAt === undefined;
  const found = fiberlb.rows("loadBalancer").find(({ tags }) => tags["fiberlb.io/service-uid"] === one.meta.uid);
  const ready = one.conditions.find(({ type }) => type === READY_CONDITION);
  if (!isServed) {
    if (one.meta.finalizers.includes(FINALIZER) || one.ingressIps.length > 0 || ready !== undefined)
      throw new Error("left-overs");
    return;
  }
  const isBroken = "fiberlb.io/algorithm" in one.meta.annotations || isStrange(one);
  // Two Services may ask for one address, and only one of them can have it.
  const isRefused = one.loadBalancerIp !== undefined && ready?.reason === "Conflict";
  if (isBroken || isRefused) {
    if (ready?.status !== "False") throw new Error(`${one.meta.name} is not told what is wrong`);
    return;
  }
  if (found === undefined || ready?.status !== "True")
    throw new Error(`${one.meta.name} is not served: ${ready?.message}`);
  if (one.ingressIps.join() !== found.vipAddress) throw new Error(`shows ${one.ingressIps.join()}`);
  if (one.loadBalancerIp !== undefined && found.vipAddress !== one.loadBalancerIp)
    throw new Error("another VIP than asked for");
  checkListeners(one, found.id, fiberlb);
}

/** The annotation names ports 80 and 81, and no Service here has both. */
const isStrange = ({ meta: { annotations } }: Service): boolean => "fiberlb.io/protocol" in annotations;

function checkListeners(one: Service, loadBalancerId: string, fiberlb: FakeFiberlb): void {
  const below = <T extends { readonly loadBalancerId: string }>(rows: readonly T[]): readonly T[] =>
    rows.filter((row) => row.loadBalancerId === loadBalancerId);
  const listeners = below(fiberlb.rows("listener")).map(({ protocol, port }) => `${protocol}/${port}`);
  const wanted = one.ports.map(({ protocol, port }) => `${protocol}/${port}`);
  if (listeners.toSorted().join() !== wanted.toSorted().join()) throw new Error(`listeners ${listeners.join()}`);
  if (below(fiberlb.rows("pool")).length !== one.ports.length) throw new Error("pools that no port needs");
}

function checkBackends({ source, fiberlb }: World): void {
  for (const pool of fiberlb.rows("pool")) {
    const uid = pool.tags["fiberlb.io/service-uid"];
    const one = [...source.services.values()].find((each) => each.meta.uid === uid);
    const port = one?.ports.find((each) => `${each.protocol}/${each.port}` === pool.tags["fiberlb.io/service-port"]);
    if (one === undefined || port === undefined) continue;
    const target = port.targetPort === "dns" ? 5353 : port.targetPort;
    const pods = [...source.pods.values()].filter(({ meta: { labels } }) => labels["app"] === one.selector["app"]);
    const backends = fiberlb.rows("backend").filter(({ poolId }) => poolId === pool.id);
    const serving = pods.filter(({ ready, meta: { deletedAt } }) => ready && deletedAt === undefined);
    const textOf = (address: string): string => `${address}:${target}`;
    const expected = serving.map(({ podIp = "" }) => textOf(podIp)).toSorted();
    const actual = backends.filter(({ weight }) => weight > 0).map(({ address, port: at }) => `${address}:${at}`);
    if (actual.toSorted().join() !== expected.join())
      throw new Error(`backends ${actual.join()} for ${expected.join()}`);
    const terminating = new Set(
      pods.filter(({ meta: { deletedAt } }) => deletedAt !== undefined).map(({ podIp = "" }) => textOf(podIp)),
    );
    const lost = backends.find(({ weight, address }) => weight === 0 && !terminating.has(textOf(address)));
    if (lost !== undefined) throw new Error(`${lost.address} drains, and no Pod has it`);
  }
}

test("any sequence of changes, with any call failing or answered twice, ends in the desired state", async () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: strange },
    { weight: 5, arbitrary: look },
    { weight: 2, arbitrary: fault },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
      const base = { source: new FakeSource(), fiberlb: new FakeFiberlb() };
      const foreign = base.fiberlb.insert("loadBalancer", { name: "somebody's" }, TENANT);
      const world: World = { ...base, controller: start(base), serial: 0, vips: new Map() };
      for (const one of steps) {
        await one(world);
        checkVips(world);
      }
      await settle(world);
      checkVips(world);
      if (world.fiberlb.rows("loadBalancer")[0]?.id !== foreign.id) throw new Error("touched somebody's load balancer");
      world.fiberlb.remove("loadBalancer", foreign.id);
      checkEnd(world);
      checkBackends(world);
      const writes = world.fiberlb.writes.length;
      await world.controller.reconcileAll();
      await world.controller.stop();
      if (world.fiberlb.writes.length !== writes) throw new Error("a steady pass wrote something");
    }),
    { numRuns: 250 },
  );
}, 120_000);
