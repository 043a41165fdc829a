import type { BenchTable } from "./table.ts";

/** The table in Markdown; notes as a list below, then the listings. */
export function markdownTable({ columns, rows, notes = [], listings = [] }: BenchTable): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = line(columns.map((_, index) => (index === 0 ? "---" : "---:")));
  const list = notes.length === 0 ? [] : ["", ...notes.map((note) => `- ${note}`)];
  const code = listings.map(({ title, text }) => `\n${title}:\n\n\`\`\`text\n${text.trimEnd()}\n\`\`\``);
  return [line(columns), rule, ...rows.map(line), ...list, ...code].join("\n");
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
