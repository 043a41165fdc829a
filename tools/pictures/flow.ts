// Draws docs/flow.svg: how traffic, configuration and health flow through a node. Run: node tools/pictures/flow.ts
import { writeFileSync } from "node:fs";

import { type Arrow, type Box, picture, text } from "./drawing.ts";

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

const arrows: readonly Arrow[] = [
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

const svg = picture({
  width: 1010,
  height: 405,
  label:
    "Configuration flows from the API through the store and the publisher to the worker threads; clients' connections flow through a worker to a backend; health checks write verdicts to shared memory that every worker reads.",
  frames: [{ x: 225, y: 15, w: 610, h: 375 }],
  texts: [text(300, 378, 13, 600, "one FiberLB node", "#57606a")],
  boxes,
  arrows,
});

writeFileSync(new URL("../../docs/flow.svg", import.meta.url), svg);
