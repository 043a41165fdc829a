import { expect, test } from "@jest/globals";

import { examples } from "./readme.ts";

test("finds the TypeScript of a README, and what must not be run", () => {
  const readme = "# a\n\n```sh\nls\n```\n\n```ts\nconst a = 1;\n```\ntext\n```ts no-run\nserve();\n\nmore();\n```\n";
  expect(examples(readme)).toEqual([
    { line: 8, code: "const a = 1;\n", runs: true },
    { line: 12, code: "serve();\n\nmore();\n", runs: false },
  ]);
});
