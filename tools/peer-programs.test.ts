import { existsSync } from "node:fs";

import { describe, expect, test } from "@jest/globals";

import { peerProgram, peerPrograms, providePeerPrograms } from "./peer-programs.ts";

describe("providePeerPrograms", () => {
  test("--no-install brings nothing and says which suites stay away, one line a program", async () => {
    const missing = peerPrograms.filter(({ name }) => !existsSync(peerProgram(name)));
    const { skips } = await providePeerPrograms({ install: false });
    expect(skips.map(({ reason }) => reason)).toEqual(
      missing.map(
        ({ name, debian, from }) =>
          `needs ${name} (Debian package ${debian} of ${from}), which is not there: --no-install`,
      ),
    );
  });

  test("no two programs have one name", () => {
    expect(new Set(peerPrograms.map(({ name }) => name)).size).toBe(peerPrograms.length);
  });
});
