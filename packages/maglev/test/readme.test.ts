import { readFileSync } from "node:fs";

import { expect, jest, test } from "@jest/globals";

import * as maglev from "../src/index.ts";

test("the README's example runs and prints what its comments say", () => {
  const readme = readFileSync(`${import.meta.dirname}/../README.md`, "utf8");
  const code = /```js\n([^]*?)```/.exec(readme)?.[1] ?? "";
  const [names, body] = [/import \{ (.*) \} from/.exec(code)?.[1] ?? "", code.replace(/^import .*$/m, "")];
  const log = jest.fn<(value: unknown) => void>();
  // oxlint-disable-next-line typescript/no-implied-eval -- the README's own code is what is under test
  const run = new Function("maglev", "console", `const { ${names} } = maglev;${body}`) as (...args: unknown[]) => void;
  run(maglev, { log });
  const [name, counts, moved] = log.mock.calls.map(([value]) => String(value));
  expect(name).toMatch(/^10\.0\.0\.[123]:80$/);
  expect(code).toContain(`// ${counts}\n`);
  expect(code).toContain(`// ${moved}\n`);
  expect(log).toHaveBeenCalledTimes(3);
});
