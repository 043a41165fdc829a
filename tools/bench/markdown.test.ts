import { describe, expect, it } from "@jest/globals";

import { markdownTable, replaceSection } from "./markdown.ts";
import { renderTable } from "./table.ts";

const table = {
  title: "Speed",
  columns: ["what", "median"],
  rows: [
    ["lookup", "2.1 ns"],
    ["a full build", "1.96 ms"],
  ],
  notes: ["on one thread"],
};

describe("markdownTable", () => {
  it("aligns figures to the right and lists the notes", () => {
    expect(markdownTable(table)).toBe(
      "| what | median |\n| --- | ---: |\n| lookup | 2.1 ns |\n| a full build | 1.96 ms |\n\n- on one thread",
    );
  });

  it("shows listings as they are", () => {
    const text = markdownTable({ ...table, listings: [{ title: "Set-up", text: "a\n  b\n" }] });
    expect(text).toMatch(/- on one thread\n\nSet-up:\n\n```text\na\n {2}b\n```$/);
  });

  it("has no list without notes", () => {
    expect(markdownTable({ ...table, notes: [] })).toMatch(/1\.96 ms \|$/);
  });
});

describe("renderTable", () => {
  it("aligns columns in plain text", () => {
    expect(renderTable(table).split("\n")).toEqual([
      "Speed",
      "",
      "what           median",
      "------------  -------",
      "lookup         2.1 ns",
      "a full build  1.96 ms",
      "* on one thread",
    ]);
  });
});

describe("replaceSection", () => {
  const page = "# Page\n\n<!-- bench:a -->\nold\n<!-- /bench:a -->\n\n<!-- bench:b -->\n<!-- /bench:b -->\n";

  it("replaces what stands between the markers, and nothing else", () => {
    const written = replaceSection(page, { name: "a", content: "new" });
    expect(written).toBe(page.replace("\nold\n", "\n\nnew\n\n"));
    expect(replaceSection(written, { name: "a", content: "new" })).toBe(written);
  });

  it("says which markers a page lacks", () => {
    expect(() => replaceSection(page, { name: "c", content: "" })).toThrow(
      "Cannot write figures of c: the page has no <!-- bench:c --> … <!-- /bench:c -->",
    );
  });
});
