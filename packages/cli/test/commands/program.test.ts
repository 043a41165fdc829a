import { createServer } from "node:net";
import type { AddressInfo } from "node:net";

import { createFiberlbClient, type FiberlbClientOptions } from "@fiberlb/api";
import { describe, expect, it } from "@jest/globals";
import { Command } from "commander";

import { kindInfos } from "../../src/kinds.ts";
import { registerClientCommands } from "../../src/program.ts";
import { FakeWorld } from "../fake-io.ts";

/** A port that was free a moment ago. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("the program", () => {
  it("says what to do when no server is there", async () => {
    const world = new FakeWorld({ createClient: createFiberlbClient });
    const url = `http://127.0.0.1:${await closedPort()}`;
    const { code, stderr } = await world.run("get", "lb", "--server", url);
    expect(code).toBe(1);
    expect(stderr).toBe(
      `error: cannot reach ${url}: connection refused; is \`fiberlb serve\` running? set --server or FIBERLB_SERVER\n`,
    );
  });

  it("takes server and caller from flags, then from the environment, then the default", async () => {
    const seen: Partial<FiberlbClientOptions>[] = [];
    const world: FakeWorld = new FakeWorld({
      env: { FIBERLB_SERVER: "http://env:1", FIBERLB_TOKEN: "secret", FIBERLB_ORG: "acme", FIBERLB_PROJECT: "" },
      createClient: (options) => {
        seen.push(options);
        return world.server.client();
      },
    });
    await world.run("get", "lb", "--org", "other");
    await world.run("--server", "http://flag:2", "get", "lb");
    expect(seen).toMatchObject([
      { baseUrl: "http://env:1", token: "secret", org: "other" },
      { baseUrl: "http://flag:2", token: "secret", org: "acme" },
    ]);
    expect(seen[0]).not.toHaveProperty("project");
  });

  it("shows a client certificate and trusts an authority of its own, from files", async () => {
    const seen: Partial<FiberlbClientOptions>[] = [];
    const env = { FIBERLB_SERVER: "https://env:1", FIBERLB_TLS_CERT: "op.crt", FIBERLB_TLS_KEY: "op.key" };
    const world: FakeWorld = new FakeWorld({
      env,
      createClient: (options) => {
        seen.push(options);
        return world.server.client();
      },
    });
    for (const name of ["ca.crt", "op.crt", "op.key"]) world.files.set(name, `PEM of ${name}`);
    await world.run("get", "lb", "--tls-ca", "ca.crt");
    expect(seen).toMatchObject([{ tls: { ca: "PEM of ca.crt", cert: "PEM of op.crt", key: "PEM of op.key" } }]);
  });

  it.each([
    [["--tls-ca", "gone.crt"], "--tls-ca: cannot read gone.crt: ENOENT: gone.crt"],
    [["--tls-cert", "op.crt"], "--tls-cert without --tls-key: a client certificate needs both"],
    [["--tls-key", "op.key"], "--tls-key without --tls-cert: a client certificate needs both"],
  ])("refuses %j", async (flags, message) => {
    expect(await new FakeWorld().run("get", "lb", ...flags)).toMatchObject({ code: 2, stderr: `error: ${message}\n` });
  });

  it("refuses a server that is no URL", async () => {
    const world = new FakeWorld({ createClient: createFiberlbClient });
    expect(await world.run("get", "lb", "--server", "nonsense")).toMatchObject({
      code: 2,
      stderr: 'error: --server: "nonsense" is not an http or https URL\n',
    });
  });

  it("exits 0 with --help and 2 without a command", async () => {
    expect(await new FakeWorld().run("--help")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("apply"),
      stderr: "",
    });
    expect((await new FakeWorld().run()).code).toBe(2);
  });

  it("has examples in the help of every command", async () => {
    const program = new Command("fiberlb");
    registerClientCommands(program, new FakeWorld().io());
    const paths = program.commands.flatMap((command) => [
      [command.name()],
      ...command.commands.map((sub) => [command.name(), sub.name()]),
    ]);
    expect(paths.length).toBeGreaterThan(15);
    for (const path of paths) {
      const { code, stdout } = await new FakeWorld().run(...path, "--help");
      expect([path, code, stdout.includes("Examples:\n  $ ")]).toEqual([path, 0, true]);
    }
  });

  it("runs every example of create", async () => {
    const { stdout } = await new FakeWorld().run("create", "--help");
    expect(stdout.match(/\$ fiberlb create/g)).toHaveLength(kindInfos.length - 1);
  });

  it.each([
    [["create"], 2, "create needs a kind"],
    [["create", "lbx", "--name", "a"], 2, 'unknown kind "lbx"; did you mean lb?'],
    [["create", "LB"], 2, 'write the kind as loadbalancer, not "LB"'],
    [["create", "quota"], 1, "quota is not served by this server yet"],
    [["create", "node"], 2, "nodes are made by `fiberlb serve`"],
    [["create", "lb", "--nam", "a"], 2, "(Did you mean --name?)"],
    [["create", "listener", "--port", "http"], 2, '--port must be a whole number, not "http"'],
    [["create", "listener", "--protocol", "smtp"], 2, "--protocol must be one of TCP, UDP, TLS, HTTP, HTTPS"],
    [["create", "lb", "--tag", "a"], 2, '--tags must be KEY=VALUE, not "a"'],
    [["completion", "tcsh"], 2, 'unknown shell "tcsh"; one of bash, zsh, fish'],
  ] as const)("%j exits %i", async (argv, code, message) => {
    const outcome = await new FakeWorld().run(...argv);
    expect([outcome.code, outcome.stderr]).toEqual([code, expect.stringContaining(message)]);
    expect(outcome.stderr.trimEnd().split("\n").length).toBe(1);
  });
});
