/** What one benchmark reports: a table of text cells, ready to print. */
export interface BenchTable {
  /** One line: what was measured. */
  title: string;
  /** Column heads; the first column is the row's label. */
  columns: string[];
  /** One array of cells per row, as long as `columns`. */
  rows: string[][];
  /** Lines below the table: targets, conditions, what was skipped and why. */
  notes?: string[];
  /** Longer texts below that: configurations, profiles. */
  listings?: Listing[];
}

/** A text of several lines that belongs to a table. */
export interface Listing {
  readonly title: string;
  readonly text: string;
}

/** The table as aligned plain text: labels to the left, figures to the right, notes and listings below. No line break at the end. */
export function renderTable({ title, columns, rows, notes = [], listings = [] }: BenchTable): string {
  const widths = columns.map((column, i) => Math.max(column.length, ...rows.map((row) => (row[i] ?? "").length)));
  const line = (cells: readonly string[]): string =>
    widths
      .map((width, i) => (i === 0 ? (cells[i] ?? "").padEnd(width) : (cells[i] ?? "").padStart(width)))
      .join("  ")
      .trimEnd();
  const rule = widths.map((width) => "-".repeat(width)).join("  ");
  const below = [
    ...notes.map((note) => `* ${note}`),
    ...listings.map(({ title: head, text }) => `\n${head}\n\n${text}`),
  ];
  return [title, "", line(columns), rule, ...rows.map(line), ...below].join("\n");
}
