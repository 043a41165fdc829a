import { describe, expect, test } from "@jest/globals";

import { hostPlans } from "./plan.ts";
import { readRunbook } from "./run-runbook.ts";
import { parseRunbook } from "./runbook.ts";

const page = `# Runbook

## Bootstrap

Words.

On \`lb-1\`, \`lb-2\` and \`lb-3\`, one after the other:

\`\`\`sh
one
two
\`\`\`

A sample of what you get:

\`\`\`text
nobody types this
\`\`\`

## Drain

On \`admin\`:

\`\`\`sh
three
\`\`\`
`;

describe("parseRunbook", () => {
  test("gives every block of commands with its hosts, by section", () => {
    expect(parseRunbook(page)).toEqual([
      { title: "Bootstrap", steps: [{ hosts: ["lb-1", "lb-2", "lb-3"], script: "one\ntwo", line: 10 }] },
      { title: "Drain", steps: [{ hosts: ["admin"], script: "three", line: 25 }] },
    ]);
  });

  test("refuses commands that nobody knows where to type", () => {
    expect(() => parseRunbook("## Drain\n\nNow type:\n\n```sh\nfiberlb drain lb-1\n```\n")).toThrow(
      'line 5: no "On `host`…:" before these commands',
    );
  });
});

test("docs/runbook.md speaks of machines that the lab has", () => {
  const known = hostPlans.map(({ name }) => name);
  const spokenOf = readRunbook().flatMap(({ steps }) => steps.flatMap(({ hosts }) => hosts));
  expect(spokenOf.filter((name) => !known.includes(name))).toEqual([]);
  expect(spokenOf.length).toBeGreaterThan(10);
});
