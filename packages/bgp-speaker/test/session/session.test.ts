import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";

import { Announcements } from "../../src/announcements.ts";
import { checkManaged } from "../../src/peers/check-managed.ts";
import { RouteReader } from "../../src/routes/check-routes.ts";
import { RouteBook } from "../../src/routes/route-book.ts";
import { RefusedError } from "../../src/session/refused.ts";
import { Session, type SessionOptions } from "../../src/session/session.ts";
import type { PeerStatus } from "../../src/status.ts";
import { FakeClock, settled } from "../fake-clock.ts";
import { manyRoutes } from "../lab/routes.ts";
import { FakeGobgp } from "./fake-gobgp.ts";

const routerId = "10.0.0.1";
const peer = { address: "10.0.0.254", asn: 64_500 };
const wanted = checkManaged({ asn: 64_512, routerId, listenPort: -1, peers: [peer] });
const running = { ...wanted.global };

let api: FakeGobgp;
let clock: FakeClock;
let book: RouteBook;
let announcements: Announcements;
let told: string[];
let peers: readonly PeerStatus[];
let ended: Promise<unknown>;
let session: Session;

beforeEach(() => {
  api = new FakeGobgp();
  clock = new FakeClock();
  book = new RouteBook();
  announcements = new Announcements();
  told = [];
});

afterEach(() => {
  if (clock.pendingCount > 0) throw new Error("a session that has ended left timers behind");
});

async function run(options: Partial<SessionOptions> = {}): Promise<void> {
  session = new Session({
    api,
    book,
    announcements,
    wanted,
    clock,
    logger: { info: (line) => told.push(line), warn: (line) => told.push(line) },
    onReady: ({ asn }) => told.push(`ready: AS ${asn}`),
    onReconciled: () => told.push("reconciled"),
    onPeers: (now) => (peers = now),
    onRoutes: () => undefined,
    ...options,
  });
  ended = session.run().catch((error: unknown) => error);
  await settled();
}

const desire = (count: number): void => book.setDesired(new RouteReader().read(manyRoutes(count)));

/** Ends the session from outside. */
async function end(): Promise<void> {
  api.answer();
  api.endEvents(new Error("over"));
  expect(await ended).toEqual(new Error("over"));
}

/** Lets time pass, and what falls due be done. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 100) {
    clock.advance(Math.min(100, left));
    await settled();
  }
}

test("sets the daemon up: starts it, then routes, then peers", async () => {
  desire(2);
  await run();
  expect(api.calls).toEqual([
    "getBgp",
    "startBgp",
    "getBgp",
    "listPaths",
    "apply -0 +2",
    "listPeers",
    "addPeer 10.0.0.254",
    "listPeers",
  ]);
  expect(told).toEqual(["ready: AS 64512", "BGP peer 10.0.0.254: added", "reconciled"]);
  expect(peers).toMatchObject([{ address: "10.0.0.254", state: "IDLE" }]);
  await end();
});

test("never starts what is started: that would empty its table", async () => {
  api.bgp = running;
  await run();
  expect(api.calls).not.toContain("startBgp");
  await end();
});

describe("refuses", () => {
  test("a daemon that is another router", async () => {
    api.bgp = { ...running, routerId: "10.0.0.2" };
    await run();
    expect(await ended).toEqual(
      new RefusedError(
        "it runs as AS 64512 with router id 10.0.0.2, not as AS 64512 with router id 10.0.0.1: correct manage, or restart " +
          "gobgpd without a configuration",
      ),
    );
  });

  test("a daemon that does not start, with what would help", async () => {
    api.startError = "listen tcp4 0.0.0.0:179: bind: permission denied";
    await run();
    const { message } = (await ended) as RefusedError;
    expect(message).toContain("it did not start BGP: listen tcp4");
    expect(message).toContain("CAP_NET_BIND_SERVICE");
  });

  test("a daemon that was not started, when it is not ours to start", async () => {
    await run({ wanted: undefined });
    expect(await ended).toBeInstanceOf(RefusedError);
  });
});

describe("ends", () => {
  test("when no event comes in 2 s", async () => {
    api.mute();
    await run();
    clock.advance(2000);
    expect(await ended).toEqual(new Error("it tells no events"));
  });

  test("when the stream of events breaks, whatever is under way", async () => {
    desire(1000);
    await run();
    api.hang();
    desire(0);
    session.applyNow();
    await settled();
    await end();
  });

  test("when somebody set the daemon up anew", async () => {
    await run();
    api.bgp = { ...running, asn: 0 };
    clock.advance(300);
    expect(await ended).toEqual(new Error("somebody set it up anew"));
  });

  test("when an announcement can't be made", async () => {
    await run();
    api.apply = () => Promise.reject(new Error("the connection was lost"));
    desire(1);
    session.applyNow();
    expect(await ended).toEqual(new Error("the connection was lost"));
  });
});

describe("routes", () => {
  test("many go in several calls, and a withdrawal does not wait for the rest", async () => {
    await run();
    api.calls.length = 0;
    desire(1000);
    session.applyNow();
    api.hang();
    await settled();
    book.setDesired(new Map([...new RouteReader().read(manyRoutes(1000))].slice(1)));
    session.applyNow();
    api.answer();
    await settled();
    expect(api.calls.slice(0, 2)).toEqual(["apply -0 +128", "apply -1 +127"]);
    expect(api.paths.size).toBe(999);
    await end();
  });

  test("one that the daemon refuses does not keep the others away, and is tried again", async () => {
    await run();
    const [bad] = new RouteReader().read(manyRoutes(1)).keys();
    api.refused.add(bad as never);
    desire(3);
    const waiting = announcements.wait();
    session.applyNow();
    await expect(waiting).rejects.toThrow("GoBGP refused to announce 203.0.0.0/32: bad path 203.0.0.0/32");
    expect(api.paths.size).toBe(2);
    expect(told).toContain("GoBGP refused to announce 203.0.0.0/32: bad path 203.0.0.0/32");
    api.refused.clear();
    await pass(5000);
    expect(api.paths.size).toBe(3);
    await end();
  });

  test("are looked at again every 5 s, and at once when one of them is gone", async () => {
    desire(2);
    await run();
    const [prefix] = api.paths.keys();
    api.paths.delete(prefix as never);
    await pass(4900);
    expect(api.paths.size).toBe(1);
    await pass(100);
    expect(api.paths.size).toBe(2);
    api.paths.delete(prefix as never);
    api.emit({ kind: "withdrawn", prefix: prefix as never });
    await settled();
    clock.advance(0);
    await settled();
    expect(api.paths.size).toBe(2);
    await end();
  });

  test("a table that takes long to list is listed less often", async () => {
    const listings = () => api.calls.filter((call) => call === "listPaths").length;
    await run();
    await pass(4900);
    api.hang();
    await pass(1100);
    expect(listings()).toBe(2);
    api.answer();
    await settled();
    await pass(19_900);
    expect(listings()).toBe(2);
    await pass(200);
    expect(listings()).toBe(3);
    await end();
  });
});

describe("peers", () => {
  test("are looked at when their state changes", async () => {
    await run();
    const held = api.peers.get("10.0.0.254");
    if (held !== undefined) api.peers.set("10.0.0.254", { ...held, state: "ESTABLISHED", advertised: 4 });
    api.emit({ kind: "peer" });
    await settled();
    clock.advance(0);
    await settled();
    expect(peers).toMatchObject([{ state: "ESTABLISHED", advertised: 4 }]);
    await end();
  });

  test("that the daemon refuses have the reason in their status", async () => {
    api.addPeer = () => Promise.reject(new ConnectError("invalid hold time", Code.Unknown));
    await run();
    expect(peers).toMatchObject([{ state: "IDLE", problem: "GoBGP refused to add it: invalid hold time" }]);
    await end();
  });

  test("of a daemon that is not ours are left as they are", async () => {
    api.bgp = running;
    await run({ wanted: undefined });
    expect(api.calls).toEqual(["getBgp", "listPaths", "listPeers"]);
    await end();
  });
});
