import { describe, expect, it } from "@jest/globals";

import { TICKET_EPOCH_MS } from "../../../src/data/tls/ticket-keys.ts";
import { ListenerTls } from "../../../src/data/tls/tls-server.ts";
import type { TlsUnit } from "../../../src/snapshot/snapshot.ts";
import { FakeClock } from "../../fake-clock.ts";
import { TestAuthority } from "./authority.ts";

const authority = new TestAuthority();
const other = new TestAuthority("other");
const [main, exact, wildcard] = ["main.test", "a.b.test", "*.b.test"].map((name) => authority.issue({ names: [name] }));
const certificates = [main!, exact!, wildcard!];
const unit: TlsUnit = { certificates, minVersion: "TLS_1_2", clientAuth: "NONE", alpnProtocols: ["h2"] };
const secret = Buffer.alloc(32, 3);

function listener(of: TlsUnit = unit, clock = new FakeClock()): ListenerTls {
  return new ListenerTls({ listenerId: "listener-1", unit: of, secret, clock });
}

describe("ListenerTls", () => {
  it("has the context of a name: exact, wildcard, and the first certificate's for all others", () => {
    const { server } = listener();
    const contexts = ["a.b.test", "c.b.test", "main.test", "d.c.b.test", ""].map((name) => server.contextOf?.(name));
    expect(new Set(contexts.slice(0, 3)).size).toBe(3);
    expect(contexts.slice(2)).toEqual([server.defaultContext, server.defaultContext, server.defaultContext]);
    expect([server.alpnProtocols, server.clientAuth]).toEqual([["h2"], "NONE"]);
  });

  it("looks nothing up where there is one certificate", () => {
    expect(listener({ ...unit, certificates: [main!] }).server).not.toHaveProperty("contextOf");
  });

  it("is the same server until something changes", () => {
    const tls = listener();
    const { server } = tls;
    tls.update(unit);
    expect(tls.server).toBe(server);
  });

  it("makes one new context an epoch, and keeps those of the other certificates", () => {
    const clock = new FakeClock();
    const tls = listener(unit, clock);
    const before = tls.server;
    clock.advance(TICKET_EPOCH_MS);
    const after = tls.server;
    expect(after.defaultContext).not.toBe(before.defaultContext);
    expect(after.contextOf?.("a.b.test")).toBe(before.contextOf?.("a.b.test"));
    expect(tls.server).toBe(after);
  });

  it("keeps the contexts of certificates that an update does not change", () => {
    const tls = listener();
    const before = tls.server;
    const renewed = { ...authority.issue({ names: ["*.b.test"] }), id: wildcard!.id };
    const added = authority.issue({ names: ["new.test"] });
    tls.update({ ...unit, certificates: [main!, { ...exact! }, renewed, added] });
    const { server } = tls;
    expect(server.contextOf?.("a.b.test")).toBe(before.contextOf?.("a.b.test"));
    expect(server.contextOf?.("c.b.test")).not.toBe(before.contextOf?.("c.b.test"));
    expect(server.contextOf?.("new.test")).not.toBe(server.defaultContext);
    tls.update({ ...unit, certificates: [main!, wildcard!] });
    expect(tls.server.contextOf?.("new.test")).toBe(tls.server.defaultContext);
  });

  it("makes all contexts anew when clients are verified otherwise", () => {
    const tls = listener();
    const before = tls.server;
    tls.update({ ...unit, clientAuth: "REQUIRED", clientCaPem: other.pem });
    expect(tls.server.contextOf?.("a.b.test")).not.toBe(before.contextOf?.("a.b.test"));
    expect(tls.server.clientAuth).toBe("REQUIRED");
  });

  const foreignKey = { ...main!, id: "foreign-key", privateKeyPem: exact!.privateKeyPem };
  const noKey = {
    ...main!,
    id: "no-key",
    privateKeyPem: "-----BEGIN PRIVATE KEY-----\nc2VjcmV0IHNlY3JldA==\n-----END PRIVATE KEY-----\n",
  };
  const noChain = { ...main!, id: "no-chain", chainPem: "nothing" };

  it.each([foreignKey, noKey, noChain])("names certificate $id when it cannot be used, without its key", (broken) => {
    for (const unusable of [[broken], [main!, broken]]) {
      let message = "";
      try {
        listener({ ...unit, certificates: unusable });
      } catch (error) {
        message = String(error);
        expect(JSON.stringify(Object.entries(error as object))).not.toContain("PRIVATE");
      }
      expect(message).toMatch(
        new RegExp(`^TlsConfigurationError: Cannot use certificate ${broken.id}: .+ \\(ERR_[A-Z0-9_]+\\)$`),
      );
      expect(message).not.toContain("c2VjcmV0");
    }
  });

  it("goes on with what it had when an update cannot be used", () => {
    const tls = listener();
    const before = tls.server;
    expect(() => tls.update({ ...unit, certificates: [foreignKey] })).toThrow("foreign-key");
    expect(() => tls.update({ ...unit, certificates: [main!, foreignKey] })).toThrow("foreign-key");
    expect(tls.server).toBe(before);
    tls.update({ ...unit, minVersion: "TLS_1_3" });
    expect(tls.server).not.toBe(before);
  });

  it("refuses authorities that are none: all clients would be refused", () => {
    const broken = { ...unit, clientAuth: "REQUIRED", clientCaPem: "nothing" } as const;
    expect(() => listener(broken)).toThrow("Cannot use certificate authorities: no certificate in it");
  });

  it("says which listener has no certificate", () => {
    expect(() => listener({ ...unit, certificates: [] })).toThrow(
      "Cannot speak TLS on listener listener-1: it has no certificate",
    );
  });
});
