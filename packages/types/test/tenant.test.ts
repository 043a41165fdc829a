import { describe, expect, it } from "@jest/globals";

import { parseTenant } from "../src/index.ts";
import { badFields, valueOf } from "./samples.ts";

describe("parseTenant", () => {
  it("fills absent and empty names", () => {
    const expected = { orgId: "default", projectId: "default", role: "member" };
    expect(valueOf(parseTenant({}, "member"))).toEqual(expected);
    expect(valueOf(parseTenant({ orgId: null, projectId: "" }, "member"))).toEqual(expected);
  });

  it.each(["a", "acme-corp", "Acme.Corp_7", "0", "x".repeat(63)])("accepts %s", (orgId) => {
    expect(valueOf(parseTenant({ orgId, projectId: "p" }, "admin"))).toEqual({ orgId, projectId: "p", role: "admin" });
  });

  // Names stand in store keys: a separator in one would reach into another tenant.
  it.each(["a/b", "..", "-a", "a-", "a b", "ä", "a\u0000", "x".repeat(64)])(
    "refuses %j, for both names at once",
    (name) => {
      expect(badFields(parseTenant({ orgId: name, projectId: name }, "member"))).toEqual(["x-org-id", "x-project-id"]);
    },
  );
});
