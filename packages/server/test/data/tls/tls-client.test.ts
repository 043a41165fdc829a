import { describe, expect, it } from "@jest/globals";

import { PoolTls } from "../../../src/data/tls/tls-client.ts";
import type { BackendTlsUnit } from "../../../src/snapshot/snapshot.ts";
import { TestAuthority } from "./authority.ts";

const authority = new TestAuthority();
const certificate = authority.issue({ names: ["client.test"] });
const unit: BackendTlsUnit = { skipVerify: false, alpnProtocols: ["h2", "http/1.1"] };

describe("PoolTls", () => {
  it("verifies a backend by its host, unless the pool names a server", () => {
    const byHost = new PoolTls(unit);
    expect(byHost.clientOf("backend.test")).toMatchObject({ serverName: "backend.test", ...unit });
    expect(byHost.clientOf("10.0.0.1").serverName).toBe("10.0.0.1");
    expect(new PoolTls({ ...unit, serverName: "all.test" }).clientOf("10.0.0.1").serverName).toBe("all.test");
  });

  it("has one client a name, and one context", () => {
    const pool = new PoolTls({ ...unit, caPem: authority.pem });
    const client = pool.clientOf("a.test");
    expect(pool.clientOf("a.test")).toBe(client);
    expect(pool.clientOf("b.test").context).toBe(client.context);
  });

  it("shares the context of the system's authorities between pools that have nothing of their own", () => {
    const context = (of: BackendTlsUnit): unknown => new PoolTls(of).clientOf("a.test").context;
    expect(context(unit)).toBe(context({ ...unit, skipVerify: true }));
    expect(context({ ...unit, clientCertificate: certificate })).not.toBe(context(unit));
  });

  it("says what it cannot use", () => {
    const broken = { ...certificate, id: "broken", privateKeyPem: "no key" };
    expect(() => new PoolTls({ ...unit, clientCertificate: broken })).toThrow(/^Cannot use certificate broken: /);
    expect(() => new PoolTls({ ...unit, caPem: "no authority" })).toThrow(/^Cannot use certificate authorities: /);
  });
});
