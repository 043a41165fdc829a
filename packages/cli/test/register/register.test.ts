import { Code, ConnectError } from "@connectrpc/connect";
import { beforeEach, describe, expect, it } from "@jest/globals";

import { FakeWorld, type Outcome } from "../fake-io.ts";
import { makeWeb } from "../files.ts";

let world: FakeWorld;
let stderr = "";
beforeEach(async () => {
  stderr = "";
  world = new FakeWorld({ stderr: { write: (text) => void (stderr += text) } });
  await makeWeb(world);
});

/** Starts `register` and waits until it has registered and sleeps until the next renewal. */
async function start(...more: readonly string[]): Promise<{ readonly ended: Promise<Outcome> }> {
  const ended = world.run("register", "--pool", "web/app", "--port", "7000", ...more);
  await Promise.race([world.clock.pending(), ended]);
  return { ended };
}

const backend = () => world.server.rows("backend").find(({ port }) => port === 7000);

/** What the server does when a backend has drained. */
function drained(): void {
  world.server.tables.get("backend")?.delete(String(backend()?.id));
}

/** Lets one wait of the drain pass. */
async function passDrainPoll(): Promise<void> {
  await world.clock.pending();
  world.clock.advance(250);
}

describe("register", () => {
  it("registers the program's address, with what was given", async () => {
    const { ended } = await start(
      "--weight",
      "3",
      "--name",
      "one",
      "--metadata",
      "zone=a",
      "--metadata",
      "rack=7",
      "--ttl",
      "9",
      "--",
      "serve",
      "--port",
      "7000",
    );
    expect(backend()).toMatchObject({
      address: "127.0.0.1",
      weight: 3,
      name: "one",
      ttlS: 9,
      metadata: { zone: "a", rack: "7" },
    });
    expect(world.programs[0]?.commandLine).toEqual(["serve", "--port", "7000"]);
    world.programs[0]?.end({ code: 0 });
    expect((await ended).code).toBe(0);
  });

  it("renews three times a TTL, spread by jitter", async () => {
    const delays: number[] = [];
    for (const random of [0, 0.5, 0.999]) {
      const jittered = new FakeWorld({ random: () => random });
      await makeWeb(jittered);
      const ended = jittered.run("register", "--pool", "app", "--port", "7000", "--ttl", "30");
      await jittered.clock.pending();
      delays.push(Math.round(jittered.clock.delaysMs[0] ?? 0));
      jittered.clock.advance(11_000);
      await jittered.clock.pending();
      expect(jittered.server.registered).toEqual(["register 127.0.0.1:7000", "register 127.0.0.1:7000"]);
      jittered.stop();
      jittered.stop();
      await ended;
    }
    expect(delays).toEqual([9000, 10_000, 10_998]);
  });

  it("tries again, sooner, while the server is away", async () => {
    const { ended } = await start();
    world.server.intercept = (method) => {
      if (method === "registerBackend") throw new ConnectError("the store is away", Code.Unavailable);
    };
    const delays: number[] = [];
    for (let attempt = 0; attempt < 3; attempt += 1) {
      world.clock.advance(5000);
      await world.clock.pending();
      delays.push(world.clock.delaysMs[0] ?? 0);
    }
    expect(delays).toEqual([250, 500, 1000]);
    expect(stderr).toContain("cannot renew the registration, trying again: unavailable: the store is away\n");
    world.server.intercept = () => undefined;
    world.clock.advance(5000);
    await world.clock.pending();
    expect(world.clock.delaysMs).toEqual([5000]);
    world.stop();
    world.stop();
    await ended;
  });

  it("on SIGTERM drains first, then stops the program, and exits with its code", async () => {
    const { ended } = await start("--", "serve");
    world.stop("SIGTERM");
    await passDrainPoll();
    await passDrainPoll();
    expect(world.server.registered.at(-1)).toBe("deregister 127.0.0.1:7000");
    expect(world.programs[0]?.signals).toEqual([]);
    drained();
    world.clock.advance(250);
    expect((await ended).code).toBe(143);
    expect(world.programs[0]?.signals).toEqual(["SIGTERM"]);
  });

  it("waits no longer than the drain timeout, by default the pool's", async () => {
    const { ended } = await start("--", "serve");
    world.stop();
    for (let waitedMs = 0; waitedMs < 30_000; waitedMs += 250) await passDrainPoll();
    expect((await ended).code).toBe(143);
    expect(backend()).toBeDefined();
  });

  it("does not wait at a second signal", async () => {
    const { ended } = await start("--drain-timeout", "600", "--", "serve");
    world.stop("SIGINT");
    await world.clock.pending();
    world.stop("SIGINT");
    expect((await ended).code).toBe(130);
    expect(world.programs[0]?.signals).toEqual(["SIGINT"]);
  });

  it("deregisters at once when the program ends, and exits with its code", async () => {
    const { ended } = await start("--", "serve");
    world.programs[0]?.end({ code: 7 });
    expect((await ended).code).toBe(7);
    expect(world.server.registered.at(-1)).toBe("deregister 127.0.0.1:7000");
    expect(world.clock.delaysMs).toEqual([]);
  });

  it("without a program registers until it is told to stop", async () => {
    const { ended } = await start();
    expect(world.programs).toEqual([]);
    world.stop();
    await world.clock.pending();
    drained();
    world.clock.advance(250);
    expect((await ended).code).toBe(0);
  });

  it("stops the program when the server refuses the backend", async () => {
    world.server.intercept = (method) => {
      if (method === "registerBackend") throw new ConnectError("127.0.0.1 is denied", Code.InvalidArgument);
    };
    const { code } = await world.run("register", "--pool", "app", "--port", "7000", "--", "serve");
    expect([code, stderr]).toEqual([1, expect.stringContaining("error: invalid argument: 127.0.0.1 is denied\n")]);
    expect(world.programs[0]?.signals).toEqual(["SIGTERM"]);
  });

  it("says that the program cannot be started, and leaves nothing registered", async () => {
    const { ended } = await start("--", "nope");
    world.programs[0]?.fail(new Error("spawn nope ENOENT"));
    expect((await ended).code).toBe(1);
    expect(stderr).toContain("error: cannot start the program: spawn nope ENOENT\n");
    expect(world.server.registered.at(-1)).toBe("deregister 127.0.0.1:7000");
  });

  it("says when it could not deregister, and leaves it to the TTL", async () => {
    const { ended } = await start("--", "serve");
    world.server.intercept = (method) => {
      if (method === "deregisterBackend") throw new ConnectError("gone", Code.Unavailable);
    };
    world.programs[0]?.end({ code: 0 });
    expect((await ended).code).toBe(0);
    expect(stderr).toContain("cannot deregister; the server drains the backend within 15 s: unavailable: gone\n");
  });

  it.each([
    [["--pool", "nope", "--port", "1"], 1, "no pool is named"],
    [["--pool", "app", "--port", "0"], 2, "--port must be a port, 1 to 65535, not 0"],
    [["--pool", "app", "--port", "x"], 2, "--port must be a whole number"],
    [["--pool", "app", "--port", "1", "--ttl", "0"], 2, "--ttl must be at least 1 second"],
    [["--pool", "app", "--port", "1", "--weight", "257"], 2, "--weight must be a whole number up to 256"],
    [["--pool", "app", "--port", "1", "--address", "a b"], 2, "--address must be"],
    [["--pool", "app", "--port", "1", "--metadata", "a"], 2, "--metadata must be KEY=VALUE"],
    [["--port", "1"], 2, "required option '--pool"],
  ] as const)("%j exits %i before anything is started", async (argv, code, message) => {
    const outcome = await world.run("register", ...argv, "--", "serve");
    expect([outcome.code, stderr]).toEqual([code, expect.stringContaining(message)]);
    expect(world.programs).toEqual([]);
  });
});
