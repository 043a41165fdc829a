import { describe, expect, it } from "@jest/globals";

import { FakeWorld } from "../fake-io.ts";
import { makeWeb } from "../files.ts";

describe("status", () => {
  it("shows the tree", async () => {
    const world = new FakeWorld();
    await makeWeb(world);
    await world.run("create", "pool", "--load-balancer", "web", "--name", "idle");
    expect((await world.run("status", "web")).stdout).toBe(`web  127.10.0.1  ONLINE
├─ listener  tcp  TCP:80  ONLINE
│  └─ pool  app  MAGLEV  ONLINE
│     └─ backend  b1  10.0.0.5:8080  weight 1  ONLINE
└─ pool  idle  ROUND_ROBIN  used by no listener  ONLINE
`);
  });

  it("shows all load balancers, or says that there is none", async () => {
    const world = new FakeWorld();
    expect((await world.run("status")).stdout).toBe("no load balancers\n");
    await world.run("create", "lb", "--name", "web", "--vip-address", "127.10.0.1");
    await world.run("create", "lb", "--name", "shop", "--vip-address", "127.10.0.2");
    expect((await world.run("status")).stdout).toBe("web  127.10.0.1  ONLINE\n\nshop  127.10.0.2  ONLINE\n");
  });

  it("with --watch shows it again only when something changed, until it is stopped", async () => {
    let shown = "";
    const world = new FakeWorld({ stdout: { write: (text) => void (shown += text) } });
    await world.run("create", "lb", "--name", "web", "--vip-address", "127.10.0.1");
    shown = "";
    const running = world.run("status", "--watch");
    await world.clock.pending();
    world.clock.advance(1000);
    await world.clock.pending();
    await world.run("set", "lb", "web", "name=site");
    shown = "";
    world.clock.advance(1000);
    await world.clock.pending();
    world.stop("SIGINT");
    expect((await running).code).toBe(0);
    expect(shown).toBe("\nsite  127.10.0.1  ONLINE\n");
  });

  it("refuses an interval that would be a storm", async () => {
    expect((await new FakeWorld().run("status", "--watch", "--interval", "0")).code).toBe(2);
  });
});
