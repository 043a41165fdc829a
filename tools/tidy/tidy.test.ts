import { describe, expect, test } from "@jest/globals";

import { root } from "../test-run/command.ts";
import { format } from "./law.ts";
import { laws } from "./laws.ts";
import { readRepository } from "./repository.ts";

const repository = readRepository(root);

describe("this repository", () => {
  test("was read", () => {
    expect(repository.packages.length).toBeGreaterThan(5);
    expect(repository.files.length).toBeGreaterThan(20);
  });

  test.each(laws)("$name", ({ check }) => {
    const violations = check(repository).map(format);
    if (violations.length > 0) throw new Error(`${violations.length} violations\n${violations.join("\n")}`);
  });
});
