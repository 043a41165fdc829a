import { readFileSync } from "node:fs";

import { describe, expect, it } from "@jest/globals";

import { FakeWorld } from "../fake-io.ts";
import { applyText, KEY, pem } from "../files.ts";

/** Of the repository: this test ships with nothing. */
const DOCS = `${import.meta.dirname}/../../../../docs`;

/** The first example of a page that declares load balancers. */
function exampleIn(page: string): string {
  const blocks = readFileSync(`${DOCS}/${page}`, "utf8").matchAll(/```yaml\n([^]*?)```/g);
  const example = [...blocks].map(([, text = ""]) => text).find((text) => /^loadBalancers:/m.test(text));
  if (example === undefined) throw new Error(`docs/${page} has no example of apply`);
  return example;
}

describe("the examples of the documentation", () => {
  it.each(["http.md", "tls.md"])("can be applied: %s", async (page) => {
    const world = new FakeWorld();
    for (const name of ["site", "api", "staff-ca", "inside-ca"]) {
      world.files.set(`/etc/lb/${name}.crt`, pem(name[0]!.toUpperCase()));
      world.files.set(`/etc/lb/${name}.key`, KEY);
    }
    const example = exampleIn(page);
    expect(await applyText(world, example)).toMatchObject({ code: 0, stderr: "" });
    expect(await applyText(world, example)).toEqual({ code: 0, stdout: "no changes\n", stderr: "" });
  });
});
