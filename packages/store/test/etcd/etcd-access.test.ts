import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";

import { ALL_KEYS, type EtcdStoreOptions, openEtcdStore, type Store } from "../../src/index.ts";
import { brief, take, text, write } from "../contract/fixture.ts";
import { type Certificate, issue } from "./certificates.ts";
import { ETCDCTL, EtcdCluster, whyNoEtcd } from "./etcd-process.ts";

jest.setTimeout(60_000);

(whyNoEtcd ? describe.skip : describe)(`TLS and users${whyNoEtcd ? ` (skipped: ${whyNoEtcd})` : ""}`, () => {
  let folder: string;
  let authority: Certificate;
  let client: Certificate;
  let cluster: EtcdCluster;
  let access: Pick<EtcdStoreOptions, "endpoints" | "tls">;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "fiberlb-etcd-tls-"));
    authority = issue(folder, "authority");
    client = issue(folder, "client", authority);
    const server = issue(folder, "server", authority);
    const files = [
      "--trusted-ca-file",
      authority.certFile,
      "--cert-file",
      server.certFile,
      "--key-file",
      server.keyFile,
    ];
    // Names of certificates are no users here: those have passwords.
    cluster = await EtcdCluster.start(1, { scheme: "https", extra: ["--client-cert-auth", ...files] });
    access = { endpoints: cluster.endpoints, tls: { ca: authority.cert, cert: client.cert, key: client.key } };
  });
  afterAll(async () => {
    await cluster.stop();
    rmSync(folder, { recursive: true });
  });

  const etcdctl = (...args: readonly string[]): void => {
    const tls = ["--cacert", authority.certFile, "--cert", client.certFile, "--key", client.keyFile];
    const to = ["--endpoints", cluster.endpoints.join(",")];
    execFileSync(ETCDCTL, [...to, ...tls, ...args], { stdio: ["ignore", "ignore", "pipe"], timeout: 30_000 });
  };
  const using = async <T>(options: Partial<EtcdStoreOptions>, use: (store: Store) => Promise<T>): Promise<T> => {
    const store = await openEtcdStore({ ...access, timeoutMs: 3000, ...options });
    try {
      return await use(store);
    } finally {
      await store.close();
    }
  };
  const refusal = (options: Partial<EtcdStoreOptions>): Promise<Error> =>
    openEtcdStore({ ...access, timeoutMs: 500, ...options }).then(
      () => Promise.reject(new Error("it was let in")),
      (error: Error) => error,
    );

  test("both sides show certificates", async () => {
    expect(await using({}, (store) => write(store, "k"))).toBeGreaterThan(1);
  });

  test("a server that the authority has not signed is refused", async () => {
    const other = issue(folder, "other");
    const error = await refusal({ tls: { ca: other.cert, cert: client.cert, key: client.key } });
    expect(error).toMatchObject({ code: "UNAVAILABLE" });
    expect(error.message).toMatch(/self-signed certificate|unable to (get local issuer|verify)/i);
  });

  test("so is a client without a certificate", async () => {
    const error = await refusal({ tls: { ca: authority.cert } });
    expect(error).toMatchObject({ code: "UNAVAILABLE", message: expect.stringMatching(/certificate|TLS|SSL/i) });
  });

  describe("with authentication", () => {
    const user = { username: "lb", password: "secret of lb", prefix: "/lb/" };
    beforeAll(() => {
      etcdctl("user", "add", "root:root");
      etcdctl("role", "add", "lb");
      etcdctl("role", "grant-permission", "lb", "--prefix=true", "readwrite", "/lb/");
      etcdctl("user", "add", `${user.username}:${user.password}`);
      etcdctl("user", "grant-role", "lb", "lb");
      etcdctl("auth", "enable");
    });

    test("a user works where its role lets it, leases and watches too", async () => {
      await using(user, async (store) => {
        const watch = take(store.watch(ALL_KEYS), 1);
        const revision = await write(store, "k", "v");
        expect(brief(await watch)).toEqual([`${revision} put k=v`]);
        const lease = await store.grantLease(5000);
        expect(await store.keepAlive(lease)).toBe(5000);
        await store.revokeLease(lease);
        expect(await store.status()).toMatchObject({ kind: "etcd" });
      });
    });

    test("elsewhere it is refused, with the reason", async () => {
      const error = await refusal({ ...user, prefix: "/others/" });
      expect(error).toMatchObject({ code: "UNAVAILABLE", message: expect.stringContaining("permission denied") });
      await using({ ...user, prefix: "/others/", verify: false }, async (store) => {
        const watch = store.watch(ALL_KEYS)[Symbol.asyncIterator]();
        await expect(watch.next()).rejects.toMatchObject({ message: expect.stringContaining("permission denied") });
      });
    });

    test("a wrong password, and none, are told apart; no password is told to anybody", async () => {
      const wrong = await refusal({ ...user, password: "guess" });
      expect(wrong.message).toMatch(/etcd does not accept user "lb": .*authentication failed/);
      expect(`${wrong.message} ${String(wrong.cause)}`).not.toContain("guess");
      // etcd takes the name of the certificate for a user's.
      expect((await refusal({ prefix: "/lb/" })).message).toContain("user name not found");
    });

    test("tokens that etcd has forgotten are replaced, for calls and for watches", async () => {
      await using(user, async (store) => {
        const watch = store.watch(ALL_KEYS)[Symbol.asyncIterator]();
        const first = await write(store, "k", "before");
        expect((await watch.next()).value).toMatchObject({ revision: first });
        await cluster.members[0]!.kill();
        await cluster.members[0]!.start();
        const second = await write(store, "k", "after");
        expect((await watch.next()).value).toMatchObject({ revision: second });
        expect(text((await store.get("k")).kv)).toBe("after");
      });
    });
  });
});
