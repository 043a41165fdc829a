import { describe, expect, it } from "@jest/globals";

import { createLog, type LogOptions } from "../src/log.ts";

function capture(options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const log = createLog({ level: "info", format: "json", write: (line) => lines.push(line), ...options });
  return { log, lines };
}

describe("createLog", () => {
  it("writes one JSON object a line, event and fields side by side", () => {
    const { log, lines } = capture();
    log.info("backend is OFFLINE", { loadBalancer: "web", backend: "10.0.0.1:80", reason: "connection\nrefused" });
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toContain("\n");
    expect(JSON.parse(lines[0]!)).toMatchObject({
      level: "info",
      event: "backend is OFFLINE",
      loadBalancer: "web",
      backend: "10.0.0.1:80",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    });
  });

  it("never writes a secret, however deep it stands", () => {
    const { log, lines } = capture();
    log.error("refused", { token: "hunter2", request: { Authorization: "Bearer hunter2", privateKeyPem: "hunter2" } });
    expect(lines[0]).not.toContain("hunter2");
  });

  it("writes a line for people", () => {
    const { log, lines } = capture({ format: "pretty" });
    log.warn("cannot bind", { listener: "web/http", reason: "in use", port: 80, error: new Error("x y") });
    expect(lines[0]).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} WARN {2}cannot bind listener=web\/http reason="in use" port=80 error="x y"$/,
    );
  });

  it("keeps quiet below its level, which can change", () => {
    const { log, lines } = capture({ level: "warn" });
    log.info("one");
    log.setLevel("debug");
    log.debug("two");
    expect(lines.map((line) => (JSON.parse(line) as { event: string }).event)).toEqual(["two"]);
  });

  it("writes what JSON has no form for", () => {
    const { log, lines } = capture();
    log.info("odd", { big: 12n, error: new Error("boom"), nothing: undefined });
    expect(JSON.parse(lines[0]!)).toMatchObject({ big: "12", error: "boom" });
  });
});
