import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { ConditionStatus, LabelOperator, NodeSchema, PodPhase, PodSchema } from "@fiberlb/api/k8shost";
import { describe, expect, test } from "@jest/globals";

import { decide, type Strategy } from "../src/scheduler/decide.ts";

type PodInit = MessageInitShape<typeof PodSchema>;
type Spec = NonNullable<PodInit["spec"]>;

interface NodeOptions {
  readonly cpu?: number;
  readonly memory?: number;
  readonly labels?: Record<string, string>;
  readonly ready?: boolean;
  readonly unschedulable?: boolean;
  readonly maxPods?: number;
}

function node(name: string, { cpu = 1000, memory = 1000, labels = {}, ready = true, ...more }: NodeOptions = {}) {
  return create(NodeSchema, {
    metadata: { name, labels },
    spec: { unschedulable: more.unschedulable ?? false },
    status: {
      allocatable: { cpuMillis: BigInt(cpu), memoryBytes: BigInt(memory) },
      maxPods: more.maxPods ?? 0,
      conditions: [{ type: "Ready", status: ready ? ConditionStatus.TRUE : ConditionStatus.UNKNOWN }],
    },
  });
}

interface PodOptions {
  readonly cpu?: number;
  readonly memory?: number;
  readonly limit?: number;
  readonly on?: string;
  readonly labels?: Record<string, string>;
  readonly namespace?: string;
  readonly org?: string;
  readonly owner?: string;
  readonly ageS?: number;
  readonly phase?: PodPhase;
  readonly ending?: boolean;
  readonly spec?: Partial<Spec>;
}

function pod(name: string, options: PodOptions = {}) {
  const { cpu = 0, memory = 0, limit = 0, on = "", labels = {}, ageS = 0, phase = PodPhase.PENDING, owner } = options;
  return create(PodSchema, {
    metadata: {
      name,
      uid: name,
      namespace: options.namespace ?? "default",
      orgId: options.org ?? "acme",
      labels,
      createdAt: timestampFromMs(1_000_000 - ageS * 1000),
      ...(owner !== undefined && { owner: { kind: "Deployment", name: owner, uid: owner } }),
      ...(options.ending === true && { deletionTimestamp: timestampFromMs(1) }),
    },
    spec: {
      nodeName: on,
      containers: [
        {
          name: "web",
          requests: { cpuMillis: BigInt(cpu), memoryBytes: BigInt(memory) },
          limits: { cpuMillis: BigInt(limit) },
        },
      ],
      ...options.spec,
    } as Spec,
    status: { phase },
  });
}

const expression = (key: string, operator: LabelOperator, ...values: string[]) => ({ key, operator, values });
const nodeAffinity = (...required: object[]): Partial<Spec> => ({
  affinity: { nodeAffinity: { required: required.map((one) => ({ matchExpressions: [one] })) } },
});
const preferring = (weight: number, ...matchExpressions: object[]) => ({ weight, term: { matchExpressions } });
const term = (app: string, topologyKey = "") => ({ labelSelector: { matchLabels: { app } }, topologyKey });
const beside = (...required: object[]): Partial<Spec> => ({ affinity: { podAffinity: { required } } });
const apart = (...required: object[]): Partial<Spec> => ({ affinity: { podAntiAffinity: { required } } });

/** `web=a mail=?`: where each went, a question mark for nowhere. */
const brief = (
  pods: readonly ReturnType<typeof pod>[],
  nodes: readonly ReturnType<typeof node>[],
  strategy: Strategy = "spread",
): string =>
  decide(pods, nodes, { strategy })
    .map((decision) => `${decision.pod.metadata?.name}=${"nodeName" in decision ? decision.nodeName : "?"}`)
    .join(" ");

const reason = (
  one: ReturnType<typeof pod>,
  nodes: readonly ReturnType<typeof node>[],
  others: ReturnType<typeof pod>[] = [],
) => {
  const [decision] = decide([...others, one], nodes, { strategy: "spread" });
  return decision !== undefined && "reason" in decision ? decision.reason : "placed";
};

const { IN, NOT_IN, EXISTS, DOES_NOT_EXIST, GREATER_THAN, LESS_THAN } = LabelOperator;
const a = node("a", { labels: { zone: "1", disk: "ssd", cores: "8" } });
const b = node("b", { labels: { zone: "2", cores: "4" } });
const c = node("c", { labels: { zone: "2" } });

type Case = readonly [what: string, expected: string, pods: ReturnType<typeof pod>[], nodes: ReturnType<typeof node>[]];

const requests: readonly Case[] = [
  ["what requests nothing fits anywhere", "web=a", [pod("web")], [a]],
  ["exactly what is left fits", "web=a", [pod("web", { cpu: 400 }), pod("x", { cpu: 600, on: "a" })], [a]],
  ["one more does not", "web=?", [pod("web", { cpu: 401 }), pod("x", { cpu: 600, on: "a" })], [a]],
  ["memory counts as CPU does", "web=?", [pod("web", { memory: 1001 })], [a]],
  ["a container with a limit alone requests that", "web=?", [pod("web", { limit: 1001 })], [a]],
  ["a request counts, not its limit", "web=a", [pod("web", { cpu: 500, limit: 2000 })], [a]],
  [
    "what has ended holds nothing",
    "web=a",
    [pod("web", { cpu: 900 }), pod("x", { cpu: 900, on: "a", phase: PodPhase.SUCCEEDED })],
    [a],
  ],
  [
    "what has failed holds nothing",
    "web=a",
    [pod("web", { cpu: 900 }), pod("x", { cpu: 900, on: "a", phase: PodPhase.FAILED })],
    [a],
  ],
  [
    "what terminates still holds its part",
    "web=?",
    [pod("web", { cpu: 900 }), pod("x", { cpu: 900, on: "a", ending: true })],
    [a],
  ],
  ["what terminates gets no node", "", [pod("web", { ending: true })], [a]],
  ["what has ended gets no node", "", [pod("web", { phase: PodPhase.FAILED })], [a]],
  ["the oldest comes first", "old=a new=?", [pod("new", { cpu: 600 }), pod("old", { cpu: 600, ageS: 9 })], [a]],
  [
    "one that does not fit does not hold up the next",
    "big=? small=a",
    [pod("big", { cpu: 2000, ageS: 9 }), pod("small", { cpu: 100 })],
    [a],
  ],
  ["the most Pods of a node", "web=?", [pod("web"), pod("x", { on: "m" })], [node("m", { maxPods: 1 })]],
  [
    "a Pod on a node that is not known takes nothing",
    "web=a",
    [pod("web", { cpu: 900 }), pod("x", { cpu: 900, on: "gone" })],
    [a],
  ],
  ["over-committed: what requests nothing still fits", "web=a", [pod("web"), pod("x", { cpu: 5000, on: "a" })], [a]],
];

const selection: readonly Case[] = [
  ["no nodes", "web=?", [pod("web")], []],
  ["not ready", "web=b", [pod("web")], [node("a", { ready: false }), b]],
  ["unschedulable", "web=b", [pod("web")], [node("a", { unschedulable: true }), b]],
  ["node_selector", "web=b", [pod("web", { spec: { nodeSelector: { zone: "2" } } })], [a, b]],
  [
    "node_selector with two labels needs both",
    "web=?",
    [pod("web", { spec: { nodeSelector: { zone: "2", disk: "ssd" } } })],
    [a, b],
  ],
  [
    "the node's name is a label",
    "web=b",
    [pod("web", { spec: { nodeSelector: { "kubernetes.io/hostname": "b" } } })],
    [a, b],
  ],
  ["affinity IN", "web=b", [pod("web", { spec: nodeAffinity(expression("zone", IN, "2", "3")) })], [a, b]],
  ["affinity NOT_IN", "web=b", [pod("web", { spec: nodeAffinity(expression("zone", NOT_IN, "1")) })], [a, b]],
  [
    "affinity NOT_IN matches where the label is absent",
    "web=b",
    [pod("web", { spec: nodeAffinity(expression("disk", NOT_IN, "ssd")) })],
    [a, b],
  ],
  ["affinity EXISTS", "web=a", [pod("web", { spec: nodeAffinity(expression("disk", EXISTS)) })], [b, a]],
  [
    "affinity DOES_NOT_EXIST",
    "web=b",
    [pod("web", { spec: nodeAffinity(expression("disk", DOES_NOT_EXIST)) })],
    [a, b],
  ],
  [
    "affinity GREATER_THAN",
    "web=a",
    [pod("web", { spec: nodeAffinity(expression("cores", GREATER_THAN, "4")) })],
    [b, a],
  ],
  ["affinity LESS_THAN", "web=b", [pod("web", { spec: nodeAffinity(expression("cores", LESS_THAN, "8")) })], [a, b]],
  [
    "a label that is no number is neither above nor below",
    "web=?",
    [pod("web", { spec: nodeAffinity(expression("disk", LESS_THAN, "8")) })],
    [a, c],
  ],
  [
    "one of several terms is enough",
    "web=b",
    [pod("web", { spec: nodeAffinity(expression("zone", IN, "9"), expression("cores", IN, "4")) })],
    [a, b],
  ],
  [
    "a preferred node",
    "web=b",
    [pod("web", { spec: { affinity: { nodeAffinity: { preferred: [preferring(1, expression("zone", IN, "2"))] } } } })],
    [a, b],
  ],
  [
    "weights add up",
    "web=a",
    [
      pod("web", {
        spec: {
          affinity: {
            nodeAffinity: {
              preferred: [
                preferring(50, expression("zone", IN, "2")),
                preferring(30, expression("zone", IN, "1")),
                preferring(30, expression("disk", EXISTS)),
              ],
            },
          },
        },
      }),
    ],
    [a, b],
  ],
  [
    "what is preferred but full is not taken",
    "web=a",
    [
      pod("web", {
        cpu: 600,
        spec: { affinity: { nodeAffinity: { preferred: [preferring(99, expression("zone", IN, "2"))] } } },
      }),
      pod("x", { cpu: 600, on: "b" }),
    ],
    [a, b],
  ],
];

const neighbours: readonly Case[] = [
  [
    "beside",
    "web=b",
    [pod("web", { spec: beside(term("db")) }), pod("db", { on: "b", labels: { app: "db" } })],
    [a, b],
  ],
  [
    "beside in the same zone",
    "web=c",
    [
      pod("web", { cpu: 500, spec: beside(term("db", "zone")) }),
      pod("db", { cpu: 600, on: "b", labels: { app: "db" } }),
    ],
    [a, b, c],
  ],
  ["beside nobody", "web=?", [pod("web", { spec: beside(term("db")) })], [a, b]],
  [
    "the first of those that want to be together",
    "web-1=a web-2=a",
    [
      pod("web-1", { ageS: 2, labels: { app: "web" }, spec: beside(term("web")) }),
      pod("web-2", { labels: { app: "web" }, spec: beside(term("web")) }),
    ],
    [a, b],
  ],
  [
    "beside: another namespace does not count",
    "web=?",
    [pod("web", { spec: beside(term("db")) }), pod("db", { namespace: "other", on: "b", labels: { app: "db" } })],
    [a, b],
  ],
  [
    "beside: another tenant does not count",
    "web=?",
    [pod("web", { spec: beside(term("db")) }), pod("db", { org: "rival", on: "b", labels: { app: "db" } })],
    [a, b],
  ],
  [
    "a node without the topology label is beside nothing",
    "web=?",
    [pod("web", { spec: beside(term("db", "rack")) }), pod("db", { on: "a", labels: { app: "db" } })],
    [a],
  ],
  ["apart", "web=b", [pod("web", { spec: apart(term("web")) }), pod("x", { on: "a", labels: { app: "web" } })], [a, b]],
  [
    "apart by zone",
    "web=a",
    [pod("web", { spec: apart(term("web", "zone")) }), pod("x", { on: "b", labels: { app: "web" } })],
    [c, b, a],
  ],
  [
    "apart: no place left",
    "w1=a w2=b w3=?",
    [1, 2, 3].map((index) => pod(`w${index}`, { ageS: 9 - index, labels: { app: "web" }, spec: apart(term("web")) })),
    [a, b],
  ],
  [
    "apart is mutual",
    "web=b",
    [pod("web", { labels: { app: "web" } }), pod("lonely", { on: "a", spec: apart(term("web")) })],
    [a, b],
  ],
  [
    "apart: another tenant does not count",
    "web=a",
    [pod("web", { spec: apart(term("web")) }), pod("x", { org: "rival", on: "a", labels: { app: "web" } })],
    [a],
  ],
  [
    "rather beside",
    "web=b",
    [
      pod("web", { spec: { affinity: { podAffinity: { preferred: [{ weight: 5, term: term("db") }] } } } }),
      pod("db", { cpu: 500, on: "b", labels: { app: "db" } }),
    ],
    [a, b],
  ],
  [
    "rather apart",
    "web=a",
    [
      pod("web", { cpu: 1, spec: { affinity: { podAntiAffinity: { preferred: [{ weight: 5, term: term("db") }] } } } }),
      pod("db", { on: "b", labels: { app: "db" } }),
      pod("x", { cpu: 900, on: "a" }),
    ],
    [a, b],
  ],
];

describe.each([
  ["requests", requests],
  ["selection of nodes", selection],
  ["neighbours", neighbours],
] as const)("%s", (_, cases) => {
  test.each(cases)("%s: %s", (_what, expected, pods, nodes) => {
    expect(brief(pods, nodes)).toBe(expected);
  });
});

describe("strategies", () => {
  test("spread takes the emptiest node, pack the fullest", () => {
    const there = pod("x", { cpu: 500, on: "a" });
    expect(brief([pod("web", { cpu: 100 }), there], [a, b], "spread")).toBe("web=b");
    expect(brief([pod("web", { cpu: 100 }), there], [a, b], "pack")).toBe("web=a");
  });

  test("spread keeps Pods of one Deployment apart before it looks at how full nodes are", () => {
    const mine = (name: string, on = "") => pod(name, { owner: "web", on });
    expect(brief([mine("w2"), mine("w1", "b"), pod("x", { cpu: 900, on: "a" })], [a, b])).toBe("w2=a");
  });

  test("six over three nodes: two each; packed: as few nodes as hold them", () => {
    const six = Array.from({ length: 6 }, (_, index) => pod(`w${index}`, { cpu: 250, owner: "web" }));
    const count = (strategy: Strategy) => {
      const on = decide(six, [a, b, c], { strategy }).map((one) => ("nodeName" in one ? one.nodeName : "?"));
      return ["a", "b", "c"].map((name) => on.filter((other) => other === name).length).toSorted((x, y) => x - y);
    };
    expect(count("spread")).toEqual([2, 2, 2]);
    expect(count("pack")).toEqual([0, 2, 4]);
  });

  test("equal nodes: by name, whatever the order they come in", () => {
    expect(brief([pod("web")], [c, b, a])).toBe("web=a");
  });
});

describe("reasons", () => {
  test.each([
    ["there are no nodes", reason(pod("web"), [])],
    [
      "0 of 3 nodes fit: 1 not ready, 1 unschedulable, 1 with too little CPU (2000m requested)",
      reason(pod("web", { cpu: 2000 }), [node("x", { ready: false }), node("y", { unschedulable: true }), a]),
    ],
    [
      "0 of 1 nodes fit: 1 with too little CPU (2000m requested), 1 with too little memory (4000 bytes requested)",
      reason(pod("web", { cpu: 2000, memory: 4000 }), [a]),
    ],
    [
      "0 of 2 nodes fit: 2 without the labels of node_selector",
      reason(pod("web", { spec: { nodeSelector: { gpu: "yes" } } }), [a, b]),
    ],
    [
      "0 of 1 nodes fit: 1 not matching node_affinity",
      reason(pod("web", { spec: nodeAffinity(expression("gpu", EXISTS)) }), [a]),
    ],
    ["0 of 1 nodes fit: 1 not beside the Pods of pod_affinity", reason(pod("web", { spec: beside(term("db")) }), [a])],
    [
      "0 of 1 nodes fit: 1 beside Pods that pod_anti_affinity keeps apart",
      reason(pod("web", { spec: apart(term("db")) }), [a], [pod("db", { on: "a", labels: { app: "db" } })]),
    ],
    [
      "0 of 1 nodes fit: 1 with too many Pods",
      reason(pod("web"), [node("m", { maxPods: 1 })], [pod("x", { on: "m" })]),
    ],
  ])("%s", (expected, actual) => {
    expect(actual).toBe(expected);
  });
});
