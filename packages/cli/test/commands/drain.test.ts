import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { type Node, NodeSchema, NodeState } from "@fiberlb/api";
import { beforeEach, describe, expect, it } from "@jest/globals";

import { FakeWorld, type Outcome } from "../fake-io.ts";

let world: FakeWorld;
let shown: string;
let node: Node;

beforeEach(() => {
  shown = "";
  world = new FakeWorld({ stdout: { write: (text) => void (shown += text) } });
  node = create(NodeSchema, { name: "lb-2", state: NodeState.READY, version: "1.0.0" });
  world.server.nodes.push(node);
});

/** As the node says it next. */
function isLeft(vipsAnnounced: number, connectionsActive: bigint): void {
  const isDone = vipsAnnounced === 0 && connectionsActive === 0n;
  const state = isDone ? NodeState.DRAINED : NodeState.DRAINING;
  const next = create(NodeSchema, { state, drain: { vipsAnnounced, connectionsActive } });
  Object.assign(node, { state: next.state, drain: next.drain });
}

/** Until the command waits, then half a second. */
async function pass(): Promise<void> {
  await world.clock.pending();
  world.clock.advance(500);
  await world.clock.pending();
}

describe("drain", () => {
  it("shows what is left, once for each change, until the node is drained", async () => {
    const running = world.run("drain", "lb-2");
    await world.clock.pending();
    isLeft(2, 1n);
    await pass();
    await pass();
    isLeft(0, 1n);
    await pass();
    isLeft(0, 0n);
    world.clock.advance(500);
    expect((await running).code).toBe(0);
    expect(shown).toBe(
      [
        "node lb-2 drains: 2 VIPs announced, 1 connection left",
        "node lb-2 drains: 0 VIPs announced, 1 connection left",
        "node lb-2 is drained; `fiberlb undrain lb-2` puts it back",
        "",
      ].join("\n"),
    );
  });

  it("gives up waiting after --timeout, and says what is left and that the order stands", async () => {
    const running = world.run("drain", "lb-2", "--timeout", "1");
    await world.clock.pending();
    isLeft(0, 7n);
    await pass();
    world.clock.advance(500);
    expect(await running).toMatchObject({
      code: 1,
      stderr:
        "error: node lb-2 is not drained in time: 0 VIPs announced, 7 connections left; it goes on draining; `fiberlb undrain lb-2` takes the order back\n",
    });
  });

  it("can be interrupted; the order stands", async () => {
    const running = world.run("drain", "lb-2");
    await world.clock.pending();
    world.stop("SIGINT");
    expect(await running).toMatchObject({ code: 1, stderr: expect.stringContaining("it goes on draining") });
    expect(node.state).toBe(NodeState.DRAINING);
  });

  it("goes on asking while the server is away", async () => {
    const running = world.run("drain", "lb-2");
    await world.clock.pending();
    world.server.intercept = () => {
      throw new ConnectError("the store is not available", Code.Unavailable);
    };
    await pass();
    world.server.intercept = () => undefined;
    isLeft(0, 0n);
    world.clock.advance(500);
    expect((await running).code).toBe(0);
    expect(shown).toContain("cannot ask for node lb-2, trying again: ");
  });

  it("fails when the node goes away before it is drained", async () => {
    const running = world.run("drain", "lb-2");
    await world.clock.pending();
    world.server.nodes.pop();
    world.clock.advance(500);
    expect(await running).toMatchObject({ code: 1, stderr: "error: node lb-2 went away before it was drained\n" });
  });

  it("--no-wait only gives the order", async () => {
    expect(await world.run("drain", "lb-2", "--no-wait")).toMatchObject({ code: 0 });
    expect([shown, node.state]).toEqual(["node lb-2 has been told to drain\n", NodeState.DRAINING]);
  });

  it.each<[readonly string[], Partial<Outcome>]>([
    [["drain", "lb-9"], { code: 1, stderr: expect.stringContaining("node lb-9 does not exist") as never }],
    [["drain", "lb-2", "--timeout", "soon"], { code: 2 }],
    [["drain", "lb-2", "--timeout", "0"], { code: 2 }],
    [["drain"], { code: 2 }],
  ])("%j is refused", async (argv, outcome) => {
    expect(await world.run(...argv)).toMatchObject(outcome);
  });
});

it("undrain puts a node back", async () => {
  await world.run("drain", "lb-2", "--no-wait");
  shown = "";
  expect((await world.run("undrain", "lb-2")).code).toBe(0);
  expect([shown, node.state]).toEqual(["node lb-2 is in service again\n", NodeState.READY]);
});

it("get nodes shows where they are, what they can do, and why they are as they are", async () => {
  Object.assign(
    node,
    create(NodeSchema, {
      name: "lb-2",
      version: "1.0.0",
      addresses: ["10.0.0.2", "2001:db8::2"],
      capabilities: ["userspace", "nftables"],
      appliedRevision: 12n,
    }),
  );
  isLeft(0, 3n);
  const problem = { loadBalancerId: "", listenerId: "", reason: "Cannot bind listener web/http" };
  world.server.nodes.push(
    create(NodeSchema, { name: "lb-3", state: NodeState.READY, version: "1.0.1", problems: [problem] }),
  );
  await world.run("get", "nodes");
  expect(shown).toBe(
    `NAME  VERSION  ADDRESSES             CAPABILITIES        REVISION  PROBLEMS  STATE     REASON
lb-2  1.0.0    10.0.0.2,2001:db8::2  userspace,nftables  12        0         DRAINING  0 VIPs announced, 3 connections left
lb-3  1.0.1    -                     -                   -         1         READY     Cannot bind listener web/http
`,
  );
});
