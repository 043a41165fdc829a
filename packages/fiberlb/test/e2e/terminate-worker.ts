// Loaded into a node with --import: SIGUSR2 ends the data plane's first worker as it is then, SIGWINCH the second.
import type { Worker } from "node:worker_threads";

const workers = new Map<string, Worker>();

process.on("worker", (worker) => {
  if (worker.threadName?.startsWith("fiberlb data ") === true) workers.set(worker.threadName, worker);
});
process.on("SIGUSR2", () => void workers.get("fiberlb data 0")?.terminate());
process.on("SIGWINCH", () => void workers.get("fiberlb data 1")?.terminate());
