import { createFiberlbClient } from "@fiberlb/api";

import { type BenchContext, startFleetNode, type StoreKind } from "./bench-context.ts";
import type { FleetMember } from "./fleet.ts";
import { quantile } from "./load.ts";
import type { BenchNode } from "./node.ts";
import type { BenchTable } from "./table.ts";

const FLEET = 100;
const CLIENTS = [1, 32] as const;

/** A call of the API by somebody who is one of several clients. */
type Call = (client: number, turn: number) => Promise<unknown>;

interface Protocol {
  readonly name: string;
  readonly calls: Readonly<Record<CallName, Call>>;
  close(): void;
}

const CALL_NAMES = ["get backend", "list 10 backends", "update weight", "create backend"] as const;
type CallName = (typeof CALL_NAMES)[number];

/** Calls a second of the API. */
export async function benchControlPlane(context: BenchContext): Promise<BenchTable> {
  const rows: string[][] = [];
  for (const kind of ["memory", "SQLite"] as const) rows.push(...(await measureStore(kind, context)));
  const columns = ["Connect JSON", "gRPC"].flatMap((protocol) =>
    CLIENTS.map((clients) => `${protocol}, ${clients === 1 ? "1 client" : `${clients} clients`}`),
  );
  return {
    title: `Control plane, ${FLEET} load balancers × 10 backends: calls a second, p99, the server's CPU per call`,
    columns: ["store: call", ...columns],
    rows,
    notes: [
      "CPU counts all threads of the server and depends least on what else the machine does.",
      "Connect JSON: POST over HTTP/1.1, as curl does it. gRPC: HTTP/2, one connection.",
      "A change is answered when it is durable; a create when all workers serve it as well. Load and server share the machine.",
    ],
  };
}

async function measureStore(kind: StoreKind, context: BenchContext): Promise<string[][]> {
  const { node, fleet } = await startFleetNode(kind, FLEET, context);
  const protocols = [connectJson(node.apiUrl, fleet), grpc(node.apiUrl, fleet)];
  try {
    const rows: string[][] = [];
    for (const name of CALL_NAMES) {
      const cells: string[] = [];
      for (const { name: protocol, calls } of protocols) {
        for (const clients of CLIENTS) {
          context.progress(`control plane: ${kind}, ${name}, ${protocol}, ${clients} at a time`);
          cells.push(await measureCall(node, calls[name], { clients, durationMs: context.quick ? 300 : 1500 }));
        }
      }
      rows.push([`${kind}: ${name}`, ...cells]);
    }
    return rows;
  } finally {
    for (const protocol of protocols) protocol.close();
    await node.stop();
  }
}

interface Load {
  readonly clients: number;
  readonly durationMs: number;
}

async function measureCall(node: BenchNode, call: Call, { clients, durationMs }: Load): Promise<string> {
  await callFor(call, clients, durationMs / 4);
  const beforeMs = await node.cpuMs();
  const tookMs = await callFor(call, clients, durationMs);
  const cpuMs = ((await node.cpuMs()) - beforeMs) / tookMs.length;
  const perSecond = (tookMs.length * 1000) / durationMs;
  return `${perSecond.toFixed(0)}/s, ${quantile(tookMs, 0.99).toFixed(0)} ms, ${cpuMs.toFixed(2)} ms`;
}

async function callFor(call: Call, clients: number, durationMs: number): Promise<number[]> {
  const tookMs: number[] = [];
  const endMs = performance.now() + durationMs;
  const client = async (number: number): Promise<void> => {
    for (let turn = 0; performance.now() < endMs; turn++) {
      const startMs = performance.now();
      await call(number, turn);
      tookMs.push(performance.now() - startMs);
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, number) => client(number)));
  return tookMs;
}

let made = 0;

/** Of each pool in turn, lest one of them grow; with an address and port that no backend of a fleet has. */
function newBackend(fleet: readonly FleetMember[]): { poolId: string; address: string; port: number } {
  made += 1;
  const { poolId } = fleet[made % fleet.length]!;
  return { poolId, address: `127.79.${(made >> 8) & 255}.${made & 255}`, port: 1 + (made >> 16) };
}

/** Every client changes load balancers of its own, each time another weight. */
const backendOf = (fleet: readonly FleetMember[], client: number, turn: number): string =>
  fleet[client]!.backendIds[turn % 10]!;
const weightOf = (turn: number): number => 1 + (Math.floor(turn / 10) % 200);

function grpc(baseUrl: string, fleet: readonly FleetMember[]): Protocol {
  const { backends, close } = createFiberlbClient({ baseUrl });
  return {
    name: "gRPC",
    close,
    calls: {
      "update weight": (client, turn) =>
        backends.updateBackend({
          backend: { id: backendOf(fleet, client, turn), weight: weightOf(turn) },
          updateMask: { paths: ["weight"] },
        }),
      "create backend": () => backends.createBackend(newBackend(fleet)),
      "get backend": (client, turn) => backends.getBackend({ id: backendOf(fleet, client, turn) }),
      "list 10 backends": (client) => backends.listBackends({ poolId: fleet[client]!.poolId }),
    },
  };
}

function connectJson(baseUrl: string, fleet: readonly FleetMember[]): Protocol {
  const post = async (method: string, body: object): Promise<void> => {
    const answer = await fetch(`${baseUrl}/fiberlb.v1.BackendService/${method}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`Cannot measure ${method}: ${text}`);
  };
  return {
    name: "Connect JSON",
    close: () => undefined,
    calls: {
      "update weight": (client, turn) =>
        post("UpdateBackend", {
          // Never what gRPC sets: that would be no change.
          backend: { id: backendOf(fleet, client, turn), weight: weightOf(turn) + 50 },
          updateMask: "weight",
        }),
      "create backend": () => post("CreateBackend", newBackend(fleet)),
      "get backend": (client, turn) => post("GetBackend", { id: backendOf(fleet, client, turn) }),
      "list 10 backends": (client) => post("ListBackends", { poolId: fleet[client]!.poolId }),
    },
  };
}
