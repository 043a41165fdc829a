// Draws docs/cluster.svg: three nodes between a router and the servers. Run: node tools/pictures/cluster.ts
import { writeFileSync } from "node:fs";

import { type Arrow, type Box, picture, text } from "./drawing.ts";

const NODE_X = [250, 500, 750] as const;

const nodeBoxes = NODE_X.flatMap((x, index): Box[] => [
  { x, y: 190, w: 200, h: 60, title: `FiberLB on lb-${index + 1}`, lines: ["serves every VIP"], tone: "data" },
  { x, y: 262, w: 95, h: 40, title: "gobgpd", tone: "control" },
  { x: x + 105, y: 262, w: 95, h: 40, title: "etcd", tone: "health" },
]);

const boxes: readonly Box[] = [
  { x: 20, y: 60, w: 150, h: 60, title: "Clients", lines: ["connect to the VIP"], tone: "outside" },
  {
    x: 460,
    y: 50,
    w: 280,
    h: 80,
    title: "Router",
    lines: ["203.0.113.10 via lb-1, lb-2, lb-3", "hashes addresses and ports"],
    tone: "outside",
  },
  ...nodeBoxes,
  { x: 20, y: 205, w: 150, h: 60, title: "Operator", lines: ["fiberlb, any node"], tone: "outside" },
  ...[1, 2, 3, 4].map((number): Box => ({
    x: 215 + number * 120,
    y: 385,
    w: 100,
    h: 44,
    title: `web-${number}`,
    tone: "outside",
  })),
];

const arrows: readonly Arrow[] = [
  ["data", "M172 90 H458", "connections", 315, 80],
  ["data", "M500 132 L370 188"],
  ["data", "M600 132 V188", "equal-cost paths", 668, 164],
  ["data", "M700 132 L830 188"],
  ...NODE_X.map((x): Arrow => ["data", `M${x + 100} 304 L${x + 100 + (600 - x - 100) * 0.35} 383`]),
  ["control", "M172 235 H248", "mutual TLS", 203, 226],
  ["control", "M952 220 H988 V90 H742", "BGP: each VIP it can serve", 866, 80],
];

const svg = picture({
  width: 1010,
  height: 445,
  label:
    "Clients' connections reach a router, which spreads them over three nodes by equal-cost paths; each node announces the VIPs that it can serve over BGP, keeps the cluster's state in etcd with the others, and forwards to the servers.",
  frames: [{ x: 235, y: 175, w: 730, h: 142 }],
  texts: [text(285, 166, 13, 600, "three nodes", "#57606a"), text(510, 348, 12, 400, "checks, connections", "#57606a")],
  boxes,
  arrows,
});

writeFileSync(new URL("../../docs/cluster.svg", import.meta.url), svg);
