import { describe, expect, it } from "@jest/globals";

import { FakeWorld } from "../fake-io.ts";

async function webWorld(): Promise<FakeWorld> {
  const world = new FakeWorld();
  await world.run("create", "lb", "--name", "web", "--vip-address", "127.10.0.1", "--tag", "team=shop");
  await world.run("create", "pool", "--load-balancer", "web", "--name", "app", "--algorithm", "maglev");
  await world.run("create", "backend", "--pool", "web/app", "--address", "10.0.0.5", "--port", "8080", "--name", "b1");
  await world.run("create", "listener", "--load-balancer", "web", "--name", "tcp", "--protocol", "tcp", "--port", "80", "--default-pool", "app");
  return world;
}

describe("create", () => {
  it("makes resources from flags, with names for ids", async () => {
    const world = new FakeWorld();
    const made = await world.run("create", "lb", "--name", "web", "--vip-address", "127.10.0.1");
    console.log(made, await world.run("get","lb"));
    const w = await webWorld();
    for (const k of ["lb","pool","backend","listener"]) console.log((await w.run("get",k)).stdout);
    console.log((await w.run("status")).stdout, (await w.run("describe","lb","web")).stdout,await w.run("create","listener","--help"), await w.run("get","lb","-o","json"), await w.run("set","pool","web/app","algorithm=random","tags.a=b"), await w.run("delete","lb","web"), await w.run("delete","lb","web","--cascade"), await w.run("create","lbx"), await w.run("get","quota"));
    expect(made.code).toBe(0);
  });
});
