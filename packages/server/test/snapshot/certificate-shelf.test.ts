import { beforeEach, describe, expect, it } from "@jest/globals";

import { CertificateShelf, type NamedCertificate } from "../../src/snapshot/certificate-shelf.ts";
import { server, unusable } from "./certificates.ts";

const owner = { orgId: "acme", projectId: "web" };
const named = (...ids: string[]): NamedCertificate[] => ids.map((id) => ({ owner, id }));

let asked: string[];
let reading: number;
let mostAtOnce: number;
let failure: Error | undefined;
let shelf: CertificateShelf;

beforeEach(() => {
  [asked, reading, mostAtOnce, failure] = [[], 0, 0, undefined];
  shelf = new CertificateShelf(async ({ id }) => {
    asked.push(id);
    mostAtOnce = Math.max(mostAtOnce, ++reading);
    await Promise.resolve();
    reading -= 1;
    if (failure !== undefined) throw failure;
    return id.startsWith("gone") ? unusable(id) : server(id);
  });
});

describe("CertificateShelf", () => {
  it("reads a certificate once, however often it is named, and one that cannot be used again", async () => {
    await shelf.fetch(named("a", "gone", "a"));
    await shelf.fetch(named("a", "gone"));
    expect(asked).toEqual(["a", "gone", "gone"]);
    expect(shelf.find("a")).toEqual(server("a"));
    expect(shelf.find("gone")).toEqual(unusable("gone"));
  });

  it("gives everybody the same object", async () => {
    await shelf.fetch(named("a"));
    const answer = shelf.find("a");
    await shelf.fetch(named("a"));
    expect(shelf.find("a")).toBe(answer);
  });

  it("says of a certificate that it never read that it has not been read", () => {
    expect(shelf.find("a")).toEqual({ ok: false, label: "certificate a", problem: "has not been read" });
  });

  it("reads many together, but not all at once", async () => {
    await shelf.fetch(named(...Array.from({ length: 100 }, (_, index) => `c${index}`)));
    expect(asked).toHaveLength(100);
    expect(mostAtOnce).toBe(16);
  });

  it("passes on that the store cannot be asked, and asks again next time", async () => {
    failure = new Error("store not reachable");
    await expect(shelf.fetch(named("a"))).rejects.toThrow("store not reachable");
    failure = undefined;
    await shelf.fetch(named("a"));
    expect(shelf.find("a").ok).toBe(true);
  });

  it("drops a certificate when the last load balancer has let go of it", async () => {
    await shelf.fetch(named("a", "b"));
    shelf.use("one", new Set(["a", "b"]));
    shelf.use("two", new Set(["a"]));
    shelf.use("one", new Set());
    expect(shelf.find("b").ok).toBe(false);
    expect(shelf.find("a").ok).toBe(true);
    shelf.use("two", new Set(["b"]));
    expect(shelf.find("a").ok).toBe(false);
  });

  it("counts a load balancer once, however often it says what it uses", async () => {
    await shelf.fetch(named("a"));
    shelf.use("one", new Set(["a"]));
    shelf.use("one", new Set(["a"]));
    shelf.use("one", new Set());
    expect(shelf.find("a").ok).toBe(false);
  });
});
