/** Paints text for the terminal; with colours off it returns the text as it is. */
export interface Palette {
  readonly good: Paint;
  readonly bad: Paint;
  readonly warning: Paint;
  readonly faint: Paint;
  readonly strong: Paint;
}

type Paint = (text: string) => string;

const ESCAPE = "\u001b[";
const sgr =
  (on: number, off: number): Paint =>
  (text) =>
    text === "" ? "" : `${ESCAPE}${on}m${text}${ESCAPE}${off}m`;
const plain: Paint = (text) => text;

const COLOURS: Palette = {
  good: sgr(32, 39),
  bad: sgr(31, 39),
  warning: sgr(33, 39),
  faint: sgr(2, 22),
  strong: sgr(1, 22),
};
const PLAIN: Palette = { good: plain, bad: plain, warning: plain, faint: plain, strong: plain };

/** Colours, or none. */
export const paletteFor = (colour: boolean): Palette => (colour ? COLOURS : PLAIN);

/** How each status looks; what is not here is left plain. */
const LOOKS: Readonly<Record<string, keyof Palette>> = {
  ONLINE: "good",
  ACTIVE: "good",
  READY: "good",
  DEGRADED: "warning",
  DRAINING: "warning",
  DRAINED: "warning",
  PENDING_CREATE: "warning",
  PENDING_UPDATE: "warning",
  PENDING_DELETE: "warning",
  OFFLINE: "bad",
  ERROR: "bad",
  UNKNOWN: "faint",
  NO_MONITOR: "faint",
};

/** A status in its colour. */
export function paintStatus(palette: Palette, status: string): string {
  const look = LOOKS[status.trim()];
  return look === undefined ? status : palette[look](status);
}
