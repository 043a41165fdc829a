import { createLog, silentLog } from "@fiberlb/server";
import type { Command } from "commander";

import { checkStage } from "../demo/check.ts";
import { openStage, type Stage } from "../demo/stage.ts";
import { failure } from "../failure.ts";

const EXAMPLES = `
Needs no flags and no root, and leaves nothing behind. Press Ctrl-C to end it.

Examples:
  $ fiberlb demo              look around: it prints what it made and what to try
  $ fiberlb demo --check      sends traffic itself, kills a backend, shows what happens; exits 0 or 1
`;

/** Adds `fiberlb demo`. */
export function addDemo(program: Command): void {
  program
    .command("demo")
    .description("three small web servers and a load balancer in front of them, to look at")
    .option("--check", "send traffic, kill a backend, show that traffic moves and comes back; exit 0 or 1")
    .addHelpText("after", EXAMPLES)
    .action(async ({ check = false }: { check?: boolean }) => demo(check));
}

const say = (line: string): void => console.log(line);

async function demo(check: boolean): Promise<void> {
  say("FiberLB demo: starting three web servers and a load balancer, all in this process's family");
  // The check tells its own story; someone who looks around wants to see the health flips as they happen.
  const log = check
    ? silentLog
    : createLog({ level: "info", format: "pretty", write: (line) => void process.stderr.write(`${line}\n`) });
  const stage = await openStage(log).catch((error: unknown) => {
    throw failure(`the demo could not start: ${error instanceof Error ? error.message : String(error)}`);
  });
  try {
    introduce(stage);
    if (!check) await untilInterrupted();
    else if (!(await checkStage(stage, say))) throw failure("the demo did not behave as it should");
    else say("\nEverything was as it should be.");
  } finally {
    await stage.close();
  }
}

function introduce({ server, backends, vip, web, loadBalancerId }: Stage): void {
  const url = `http://${vip.host}:${vip.port}/`;
  say("");
  say(`  load balancer  web      ${vip.host}:${vip.port}, TCP, Maglev, health check every 250 ms`);
  say(`                          ${web.host}:${web.port}, HTTP, round robin, one policy: /hello`);
  for (const { name, port, pid } of backends)
    say(`  backend        ${name.padEnd(8)} 127.0.0.1:${port}, process ${pid}`);
  say(`  API            ${server.apiUrl}   admin ${server.adminUrl}`);
  say("\nTry in another terminal:");
  say(`  for i in 1 2 3 4 5 6; do curl -s ${url}; done`);
  say(`  curl -s http://${web.host}:${web.port}/ http://${web.host}:${web.port}/hello`);
  say(`  kill -9 ${backends[1]?.pid}; sleep 1; for i in 1 2 3 4 5 6; do curl -s ${url}; done`);
  say(`  FIBERLB_SERVER=${server.apiUrl} npm start -- status`);
  say(`  curl -s -H 'content-type: application/json' -d '{"id":"${loadBalancerId}"}' \\`);
  say(`    ${server.apiUrl}/fiberlb.v1.LoadBalancerService/GetLoadBalancerStatus`);
}

function untilInterrupted(): Promise<void> {
  say("\nRunning; Ctrl-C ends it.");
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
}
