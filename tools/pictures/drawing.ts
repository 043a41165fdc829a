// What the pictures of docs/ have in common: boxes, arrows, and one look.

/** A rectangle with a title and lines below it. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
  readonly title: string;
  readonly lines?: readonly string[];
  readonly tone: keyof typeof TONES;
}

const TONES = {
  outside: { fill: "#f6f8fa", stroke: "#8c959f" },
  control: { fill: "#ddf4ff", stroke: "#0969da" },
  data: { fill: "#dafbe1", stroke: "#1a7f37" },
  health: { fill: "#fff8c5", stroke: "#9a6700" },
} as const;

export const ARROWS = { control: "#0969da", data: "#1a7f37", health: "#9a6700" } as const;

/** A path in SVG's notation, with a label at a place of its own. */
export type Arrow = readonly [tone: keyof typeof ARROWS, path: string, label?: string, x?: number, y?: number];

/** A line of text, centred. */
export const text = (x: number, y: number, size: number, weight: number, value: string, fill = "#1f2328"): string =>
  `<text x="${x}" y="${y}" font-size="${size}" font-weight="${weight}" fill="${fill}" text-anchor="middle">${value}</text>`;

function drawBox({ x, y, w, h, title, lines = [], tone }: Box): string {
  const { fill, stroke } = TONES[tone];
  const middle = x + w / 2;
  const first = y + h / 2 + 5 - lines.length * 9;
  return [
    `<rect x="${x}" y="${y}" width="${w}" height="${h}" rx="8" fill="${fill}" stroke="${stroke}" stroke-width="1.5"/>`,
    text(middle, first, title.length > 30 ? 12 : 14, 600, title),
    ...lines.map((line, i) => text(middle, first + 18 * (i + 1), 12, 400, line, "#57606a")),
  ].join("\n");
}

function drawArrow([tone, path, label, x = 0, y = 0]: Arrow): string {
  const line = `<path d="${path}" fill="none" stroke="${ARROWS[tone]}" stroke-width="2" marker-end="url(#${tone})"/>`;
  return label === undefined ? line : `${line}\n${text(x, y, 12, 400, label, ARROWS[tone])}`;
}

const marker = (name: string, colour: string): string =>
  `<marker id="${name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 0 L10 5 L0 10 z" fill="${colour}"/></marker>`;

/** What a picture consists of. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** For those who cannot see it. */
  readonly label: string;
  /** Dashed, behind everything. */
  readonly frames: readonly { readonly x: number; readonly y: number; readonly w: number; readonly h: number }[];
  readonly texts: readonly string[];
  readonly boxes: readonly Box[];
  readonly arrows: readonly Arrow[];
}

/** The picture as an SVG document. */
export function picture({ width, height, label, frames, texts, boxes, arrows }: Picture): string {
  const markers = Object.entries(ARROWS).map(([name, colour]) => marker(name, colour));
  const frame = ({ x, y, w, h }: Picture["frames"][number]): string =>
    `<rect x="${x}" y="${y}" width="${w}" height="${h}" rx="12" fill="none" stroke="#d0d7de" stroke-dasharray="6 5"/>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" role="img" aria-label="${label}">
<defs>${markers.join("")}</defs>
<rect width="${width}" height="${height}" fill="#ffffff"/>
${[...frames.map(frame), ...texts, ...boxes.map(drawBox), ...arrows.map(drawArrow)].join("\n")}
</svg>
`;
}
