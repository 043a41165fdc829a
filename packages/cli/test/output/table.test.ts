import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { type Column, renderTable } from "../../src/output/table.ts";

type Row = readonly [string, string];
const columns: readonly Column<Row>[] = [
  { title: "NAME", value: ([name]) => name },
  { title: "REASON", value: ([, reason]) => reason, shrinks: true },
  { title: "ID", value: ([name]) => `id-${name}` },
];

describe("a table", () => {
  it("is aligned by the widest cell, without spaces at line ends", () => {
    expect(
      renderTable(
        [
          ["a", ""],
          ["longer", "down"],
        ],
        columns,
      ),
    ).toBe("NAME    REASON  ID\na               id-a\nlonger  down    id-longer\n");
  });

  it("cuts what may shrink to the terminal's width and keeps names and ids whole", () => {
    expect(renderTable([["a", "connection refused by peer"]], columns, 28)).toBe(
      "NAME  REASON            ID\na     connection refu…  id-a\n",
    );
  });

  it("does not count colours as width", () => {
    const painted: readonly Column<Row>[] = [
      { title: "NAME", value: ([name]) => name, paint: (text) => `<${text}>` },
      { title: "X", value: () => "x" },
    ];
    expect(renderTable([["ab", ""]], painted)).toBe("NAME  X\n<ab  >  x\n");
  });

  it("lets no control character reach the terminal", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (name) => {
        const text = renderTable([[`\u001b[31m${name}\n`, ""]], columns);
        expect(text.split("\n")).toHaveLength(3);
        expect(text.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
      }),
    );
  });

  it("is never wider than asked while something can shrink", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z]{1,10}$/), fc.stringMatching(/^[a-z]{0,80}$/), (name, reason) => {
        const lines = renderTable([[name, reason]], columns, 40)
          .trimEnd()
          .split("\n");
        for (const line of lines) expect(line.length).toBeLessThanOrEqual(40);
      }),
    );
  });
});
