/** Entry point of a worker thread: joins what a worker serves to its thread's port, time and sockets. */
import { parentPort, workerData } from "node:worker_threads";

import { systemClock } from "../clock.ts";
import { systemRandom } from "../random.ts";
import { readHostLimits } from "./host-limits.ts";
import { flowLimit } from "./l4/flow-limit.ts";
import { Serving } from "./serving.ts";
import { createNodeDatagrams } from "./transport/node-datagrams.ts";
import { createNodeTransport } from "./transport/node-transport.ts";
import type { FromWorker, ToWorker, WorkerStart } from "./worker-protocol.ts";

const port = parentPort;
if (port === null) throw new Error("Cannot run data/worker.ts by itself: the data plane starts it as a worker thread");

const answer = (message: FromWorker): void => port.postMessage(message);
const start = workerData as WorkerStart;
const serving = new Serving({
  ...start,
  transport: createNodeTransport({ clock: systemClock }),
  datagrams: createNodeDatagrams(),
  // The workers share what the process may open.
  maxFlows: Math.ceil(flowLimit(readHostLimits()) / start.memory.listeners.workers),
  clock: systemClock,
  random: systemRandom,
  onAcceptError: (failure) => answer({ kind: "accept-failed", failure }),
  onOutlier: (poolId, backendId) => answer({ kind: "outlier", poolId, backendId }),
  onConnectFailed: (failure) => answer({ kind: "connect-failed", failure }),
});

async function obey(message: ToWorker): Promise<void> {
  switch (message.kind) {
    case "apply":
      answer({ kind: "applied", sequence: message.sequence, failures: await serving.apply(message) });
      break;
    case "table":
      serving.setTable(message.table);
      break;
    case "backend-down":
      serving.backendDown(message.poolId, message.backendId);
      break;
    case "stop":
      await serving.stop(message.drain);
      answer({ kind: "stopped" });
      break;
  }
}

// A message that cannot be obeyed is a defect: it ends this thread, and the main thread starts another.
port.on("message", (message: ToWorker) => void obey(message));
answer({ kind: "ready" });
