import { describe, expect, it } from "@jest/globals";

import { NameUsers } from "../../src/snapshot/name-users.ts";

describe("NameUsers", () => {
  it("knows names, not addresses", () => {
    const users = new NameUsers();
    users.set("a", ["app.internal", "192.0.2.1", "2001:db8::1", "app.internal"]);
    expect([...users.names]).toEqual(["app.internal"]);
  });

  it("tells who uses a name", () => {
    const users = new NameUsers();
    users.set("a", ["app.internal", "db.internal"]);
    users.set("b", ["app.internal"]);
    users.set("c", ["other.internal"]);
    expect([...users.usersOf(["app.internal", "db.internal"])]).toEqual(["a", "b"]);
    expect([...users.usersOf(["nobody.internal"])]).toEqual([]);
  });

  it("keeps a name until its last user has gone", () => {
    const users = new NameUsers();
    users.set("a", ["app.internal"]);
    users.set("b", ["app.internal"]);
    users.set("a", []);
    expect([...users.names]).toEqual(["app.internal"]);
    users.set("b", ["db.internal"]);
    expect([...users.names]).toEqual(["db.internal"]);
    expect([...users.usersOf(["app.internal"])]).toEqual([]);
  });

  it("gives the same set for as long as no name comes or goes", () => {
    const users = new NameUsers();
    users.set("a", ["app.internal"]);
    const { names } = users;
    users.set("b", ["app.internal", "192.0.2.1"]);
    users.set("a", []);
    expect(users.names).toBe(names);
    users.set("b", []);
    expect(users.names).not.toBe(names);
  });
});
