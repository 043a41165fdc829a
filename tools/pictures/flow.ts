// Draws docs/flow.svg: how traffic, configuration and health flow through a node. Run: node tools/pictures/flow.ts
import { writeFileSync } from "node:fs";

interface Box {
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

const ARROWS = { control: "#0969da", data: "#1a7f37", health: "#9a6700" } as const;

const boxes: readonly Box[] = [
  { x: 20, y: 40, w: 170, h: 60, title: "Operator", lines: ["fiberlb apply, curl, gRPC"], tone: "outside" },
  { x: 20, y: 270, w: 170, h: 60, title: "Clients", lines: ["connect to the VIP"], tone: "outside" },
  { x: 250, y: 40, w: 150, h: 60, title: "API", lines: ["control/  :9080"], tone: "control" },
  { x: 430, y: 40, w: 150, h: 60, title: "Store", lines: ["SQLite, revisions"], tone: "control" },
  { x: 610, y: 40, w: 150, h: 60, title: "Publisher", lines: ["compiles one unit a LB"], tone: "control" },
  { x: 340, y: 250, w: 300, h: 44, title: "Worker thread 1", tone: "data" },
  { x: 340, y: 306, w: 300, h: 44, title: "Worker thread N", tone: "data" },
  {
    x: 340,
    y: 150,
    w: 300,
    h: 60,
    title: "Shared memory",
    lines: ["counters, health bits, Maglev tables"],
    tone: "health",
  },
  { x: 690, y: 150, w: 130, h: 60, title: "Health checks", lines: ["probes, rise/fall"], tone: "health" },
  { x: 860, y: 215, w: 130, h: 44, title: "Backend A", tone: "outside" },
  { x: 860, y: 275, w: 130, h: 44, title: "Backend B", tone: "outside" },
  { x: 860, y: 335, w: 130, h: 44, title: "Backend C", tone: "outside" },
];

const arrows: readonly (readonly [tone: keyof typeof ARROWS, path: string, label?: string, x?: number, y?: number])[] =
  [
    ["control", "M190 70 H248"],
    ["control", "M400 70 H428"],
    ["control", "M580 70 H608", "watch", 594, 36],
    ["control", "M685 102 V128 H310 V328 H338", "units: only what changed", 500, 122],
    ["control", "M310 260 V272 H338"],
    ["data", "M190 300 H262 V284 H338", "connections", 105, 352],
    ["data", "M262 300 V340 H338"],
    ["data", "M640 272 H760 V237 H858", "bytes", 700, 264],
    ["data", "M760 272 V297 H858"],
    ["data", "M640 328 H780 V357 H858"],
    ["health", "M688 180 H642"],
    ["health", "M490 212 V248"],
    ["health", "M822 180 H925 V213", "probe", 872, 172],
  ];

const text = (x: number, y: number, size: number, weight: number, value: string, fill = "#1f2328"): string =>
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

function drawArrow([tone, path, label, x = 0, y = 0]: (typeof arrows)[number]): string {
  const line = `<path d="${path}" fill="none" stroke="${ARROWS[tone]}" stroke-width="2" marker-end="url(#${tone})"/>`;
  return label === undefined ? line : `${line}\n${text(x, y, 12, 400, label, ARROWS[tone])}`;
}

const marker = (name: string, colour: string): string =>
  `<marker id="${name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 0 L10 5 L0 10 z" fill="${colour}"/></marker>`;

const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1010 405" font-family="system-ui, sans-serif" role="img" aria-label="Configuration flows from the API through the store and the publisher to the worker threads; clients' connections flow through a worker to a backend; health checks write verdicts to shared memory that every worker reads.">
<defs>${Object.entries(ARROWS)
  .map(([name, colour]) => marker(name, colour))
  .join("")}</defs>
<rect width="1010" height="405" fill="#ffffff"/>
<rect x="225" y="15" width="610" height="375" rx="12" fill="none" stroke="#d0d7de" stroke-dasharray="6 5"/>
${text(300, 378, 13, 600, "one FiberLB node", "#57606a")}
${boxes.map(drawBox).join("\n")}
${arrows.map(drawArrow).join("\n")}
</svg>
`;

writeFileSync(new URL("../../docs/flow.svg", import.meta.url), svg);
