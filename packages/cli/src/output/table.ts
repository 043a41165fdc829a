import { stripVTControlCharacters } from "node:util";

/** One column of a table. */
export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  /** Colours a cell after it was padded, so that colours do not count as width. */
  readonly paint?: (text: string) => string;
  /** Cut when the terminal is too narrow; all others keep their full width. */
  readonly shrinks?: boolean;
}

const GAP = "  ";
/** Narrower than this a column says nothing. */
const MIN_WIDTH = 8;

/** Lines of an aligned table with a heading; ids and names stay whole, columns that may shrink are cut to `width`. */
export function renderTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[], width?: number): string {
  const cells = rows.map((row) => columns.map(({ value }) => singleLine(value(row))));
  const natural = columns.map(({ title }, index) =>
    Math.max(title.length, ...cells.map((line) => widthOf(line[index]))),
  );
  const widths = width === undefined ? natural : fit(natural, columns, width);
  const heading = renderLine(
    columns.map(({ title }) => title),
    { widths },
  );
  return [heading, ...cells.map((row) => renderLine(row, { widths, columns }))].map((text) => `${text}\n`).join("");
}

// A name may hold anything printable: control characters that slipped through must not reach the terminal.
const singleLine = (text: string): string => stripVTControlCharacters(text).replaceAll(/\p{Cc}/gu, " ");
const widthOf = (text = ""): number => Array.from(text).length;

function fit<Row>(natural: readonly number[], columns: readonly Column<Row>[], width: number): readonly number[] {
  const widths = [...natural];
  let excess = widths.reduce((sum, each) => sum + each + GAP.length, -GAP.length) - width;
  const shrinking = columns.flatMap(({ shrinks, title }, index) =>
    shrinks === true ? [{ index, min: Math.max(MIN_WIDTH, title.length) }] : [],
  );
  for (const { index, min } of shrinking.toReversed()) {
    const cut = Math.min(Math.max(0, excess), Math.max(0, (widths[index] ?? 0) - min));
    widths[index] = (widths[index] ?? 0) - cut;
    excess -= cut;
  }
  return widths;
}

interface LineLayout<Row> {
  readonly widths: readonly number[];
  readonly columns?: readonly Column<Row>[];
}

function renderLine<Row>(cells: readonly string[], { widths, columns }: LineLayout<Row>): string {
  const last = cells.length - 1;
  const padded = cells.map((cell, index) => {
    const width = widths[index] ?? 0;
    const text = shorten(cell, width);
    const full = index === last ? text : text + " ".repeat(width - widthOf(text));
    const paint = columns?.[index]?.paint;
    return paint === undefined ? full : paint(full);
  });
  return padded.join(GAP).trimEnd();
}

function shorten(text: string, width: number): string {
  const characters = Array.from(text);
  return characters.length <= width ? text : `${characters.slice(0, width - 1).join("")}…`;
}
