import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { isInService, rotation } from "../../src/data/rotation.ts";
import type { BackendHealth, BackendUnit } from "../../src/snapshot/snapshot.ts";
import { backendUnit, poolUnit } from "./units.ts";

const { address: _, ...unresolved } = backendUnit("x", { host: "backend.example" });

/** `p` a primary, `b` a backup; then its health. */
function pool(words: string, panicThresholdPercent = 0) {
  const healths = new Map<string, BackendHealth>();
  const backends = words.split(" ").map((word, index) => {
    const id = `${word}${index}`;
    healths.set(id, ({ u: "UNKNOWN", o: "ONLINE", x: "OFFLINE", n: "NO_MONITOR" } as const)[word[1] as "u"]);
    return backendUnit(id, { backup: word[0] === "b" });
  });
  return rotation(poolUnit(backends, { panicThresholdPercent }), ({ id }) => healths.get(id) ?? "UNKNOWN");
}

const ids = (backends: readonly BackendUnit[]): string => backends.map(({ id }) => id).join(" ");

describe("rotation", () => {
  it.each([
    { who: "all that are up", words: "po po pn", active: "po0 po1 pn2", standby: "" },
    { who: "not who is down", words: "po px po", active: "po0 po2", standby: "" },
    { who: "backups only stand by while a primary is up", words: "po px bo", active: "po0", standby: "bo2" },
    { who: "backups when no primary is up", words: "px px bo bx", active: "bo2", standby: "" },
    { who: "unknown ones while nothing is online", words: "pu pu px", active: "pu0 pu1", standby: "" },
    { who: "no unknown one once something is online", words: "pu po px", active: "po1", standby: "" },
    { who: "a backup that is up before primaries that are unknown", words: "pu pu bo", active: "bo2", standby: "" },
    { who: "unknown backups last", words: "px bu", active: "bu1", standby: "" },
    { who: "nobody when all are down", words: "px px bx", active: "", standby: "" },
  ])("holds $who: $words", ({ words, active, standby }) => {
    const found = pool(words);
    expect([ids(found.active), ids(found.standby)]).toEqual([active, standby]);
  });

  it.each([
    { words: "po px px px", percent: 50, active: "po0 px1 px2 px3" },
    { words: "po po px px", percent: 50, active: "po0 po1" },
    { words: "px px", percent: 1, active: "px0 px1" },
    { words: "px px bo", percent: 50, active: "bo2" },
    { words: "po px px bo", percent: 50, active: "po0 px1 px2" },
    { words: "pu pu po", percent: 100, active: "po2" },
    { words: "px px px", percent: 0, active: "" },
  ])("with a panic threshold of $percent % and $words is $active", ({ words, percent, active }) => {
    expect(ids(pool(words, percent).active)).toBe(active);
  });

  it.each([
    { what: "disabled", backend: backendUnit("x", { enabled: false }) },
    { what: "of weight 0", backend: backendUnit("x", { weight: 0 }) },
    { what: "without an address", backend: unresolved },
  ])("never holds a backend that is $what, even in panic", ({ backend }) => {
    const found = rotation(poolUnit([backend], { panicThresholdPercent: 100 }), () => "OFFLINE");
    expect(found).toEqual({ active: [], standby: [], anyInService: false });
    expect(isInService(backend)).toBe(false);
  });

  it("serves whenever it can: somebody in service and not down is enough", () => {
    const backend = fc.record({
      backup: fc.boolean(),
      weight: fc.nat(2),
      health: fc.constantFrom<BackendHealth>("UNKNOWN", "ONLINE", "OFFLINE", "NO_MONITOR"),
    });
    fc.assert(
      fc.property(fc.array(backend), fc.nat(100), (parts, panicThresholdPercent) => {
        const backends = parts.map(({ backup, weight }, index) => backendUnit(`${index}`, { backup, weight }));
        const healthOf = ({ id }: BackendUnit): BackendHealth => parts[Number(id)]?.health ?? "UNKNOWN";
        const { active, standby } = rotation(poolUnit(backends, { panicThresholdPercent }), healthOf);
        const anyone = backends.some((one) => isInService(one) && healthOf(one) !== "OFFLINE");
        if (anyone) expect(active.length).toBeGreaterThan(0);
        expect(new Set([...active, ...standby]).size).toBe(active.length + standby.length);
        expect(standby.every(({ backup }) => backup)).toBe(true);
      }),
    );
  });
});
