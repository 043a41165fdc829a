import { cpus, loadavg, release, totalmem, type } from "node:os";

/** One line on the machine and the moment: without it a figure means nothing. */
export function describeMachine(now: Date): string {
  const [first] = cpus();
  return [
    `${cpus().length} × ${first?.model.trim() ?? "unknown CPU"}`,
    `${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
    `${type()} ${release()}`,
    `Node ${process.versions.node}`,
    `load ${loadavg()[0]!.toFixed(1)} at the start`,
    now.toISOString().slice(0, 10),
  ].join(", ");
}
