import { describe, expect, test } from "@jest/globals";

import { findProgram, type Host, provideSystemPackages, type SystemPackage } from "./system-packages.ts";

const haproxy: SystemPackage = { debian: "haproxy", program: "haproxy", suites: ["PROXY protocol", "bench"] };
const nft: SystemPackage = { debian: "nftables", program: "nft", suites: ["kernel driver"] };

/** A machine that has `installed`, and whose registry has `available`. */
function machine(installed: string[], available: readonly SystemPackage[], obstacle?: string) {
  const asked: (readonly string[])[] = [];
  const host: Host = {
    find: (program) => (installed.includes(program) ? `/usr/sbin/${program}` : undefined),
    obstacle: () => obstacle,
    install: (debian) => {
      asked.push(debian);
      const unknown = debian.find((name) => !available.some((one) => one.debian === name));
      if (unknown !== undefined) return Promise.resolve(`apt-get: E: Unable to locate package ${unknown}`);
      installed.push(...available.filter((one) => debian.includes(one.debian)).map(({ program }) => program));
      return Promise.resolve(undefined);
    },
  };
  return { host, asked };
}

const wanted = [haproxy, nft];

describe("provideSystemPackages", () => {
  test("does nothing when all is there", async () => {
    const { host, asked } = machine(["haproxy", "nft"], wanted);
    expect(await provideSystemPackages({ install: true, wanted }, host)).toMatchObject({ passed: 1, skips: [] });
    expect(asked).toEqual([]);
  });

  test("installs only what is missing, in one go", async () => {
    const ip: SystemPackage = { debian: "iproute2", program: "ip", suites: [] };
    const { host, asked } = machine(["nft"], [haproxy, ip]);
    const outcome = await provideSystemPackages({ install: true, wanted: [haproxy, nft, ip] }, host);
    expect(outcome).toMatchObject({ passed: 1, skipped: 0 });
    expect(asked).toEqual([["haproxy", "iproute2"]]);
  });

  test("one package that can't be had doesn't keep the others away", async () => {
    const { host } = machine([], [nft]);
    const { skips } = await provideSystemPackages({ install: true, wanted }, host);
    expect(skips).toEqual([
      {
        where: "system packages",
        name: "PROXY protocol, bench",
        reason:
          "needs haproxy (Debian package haproxy), which is not installed: apt-get: E: Unable to locate package haproxy",
        count: 1,
      },
    ]);
    expect(host.find("nft")).toBeDefined();
  });

  test("says why nothing can be installed, one line a program", async () => {
    const { host, asked } = machine([], wanted, "not root");
    const { skipped, skips } = await provideSystemPackages({ install: true, wanted }, host);
    expect(skipped).toBe(1); // one stage
    expect(skips.map(({ reason }) => reason)).toEqual([
      "needs haproxy (Debian package haproxy), which is not installed: not root",
      "needs nft (Debian package nftables), which is not installed: not root",
    ]);
    expect(asked).toEqual([]);
  });

  test("--no-install installs nothing", async () => {
    const { host, asked } = machine([], wanted);
    expect((await provideSystemPackages({ install: false, wanted }, host)).skips).toHaveLength(2);
    expect(asked).toEqual([]);
  });
});

describe("findProgram", () => {
  test("finds a program, and nothing that is not there", () => {
    expect(findProgram("sh")).toMatch(/\/sh$/);
    expect(findProgram("no-such-program")).toBeUndefined();
  });
});
