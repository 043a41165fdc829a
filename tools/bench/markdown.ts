import type { BenchTable } from "./table.ts";

/** The table in Markdown; notes as a list below. */
export function markdownTable({ columns, rows, notes = [] }: BenchTable): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = line(columns.map((_, index) => (index === 0 ? "---" : "---:")));
  const list = notes.length === 0 ? [] : ["", ...notes.map((note) => `- ${note}`)];
  return [line(columns), rule, ...rows.map(line), ...list].join("\n");
}

/**
 * Replaces what stands between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`.
 * @throws Error when the page has no such section.
 */
export function replaceSection(page: string, { name, content }: { name: string; content: string }): string {
  const [open, close] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`];
  const start = page.indexOf(open);
  const end = page.indexOf(close);
  if (start === -1 || end < start)
    throw new Error(`Cannot write figures of ${name}: the page has no ${open} … ${close}`);
  return `${page.slice(0, start + open.length)}\n\n${content}\n\n${page.slice(end)}`;
}
