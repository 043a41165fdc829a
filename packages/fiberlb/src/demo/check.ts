import { BackendStatus } from "@fiberlb/api";

import { startBackend } from "./backend-process.ts";
import type { Stage } from "./stage.ts";
import { describeTally, sendRequests, type Tally } from "./traffic.ts";

/** Says a line to the user. */
export type Say = (line: string) => void;

const REQUESTS = 60;
const DEADLINE_MS = 15_000;

/**
 * Sends real traffic, kills a backend, shows that traffic moved, starts it again and shows that traffic came back.
 * @returns whether everything was as it should be.
 */
export async function checkStage(stage: Stage, say: Say): Promise<boolean> {
  const names = stage.backends.map(({ name }) => name);
  const victim = stage.backends[1]!;
  const expect = createExpectations(say);

  for (const poolId of [stage.poolId, stage.httpPoolId])
    for (const { name } of stage.backends) await untilStatus({ ...stage, poolId }, name, BackendStatus.ONLINE);
  say(`\n1. ${REQUESTS} requests, each on a new connection, to ${stage.vip.host}:${stage.vip.port}`);
  expect("every backend answers", await sendRequests(stage.vip, REQUESTS), (tally) => answeredBy(tally, names));

  say(`\n2. the same through the HTTP listener, ${stage.web.host}:${stage.web.port}`);
  const third = REQUESTS / names.length;
  expect("each backend answers its third, in turns", await sendRequests(stage.web, REQUESTS), (tally) =>
    names.every((name) => tally.answers.get(name) === third),
  );
  expect("its policy answers /hello", await sendRequests({ ...stage.web, path: "/hello" }, 1), (tally) =>
    answeredBy(tally, ["FiberLB"]),
  );

  say(`\n3. kill -9 ${victim.pid} (${victim.name}), and wait for its health check`);
  await victim.kill();
  const reason = await untilStatus(stage, victim.name, BackendStatus.OFFLINE);
  say(`   ${victim.name} is OFFLINE: ${reason}`);
  const others = names.filter((name) => name !== victim.name);
  expect("traffic moved to the others, no request failed", await sendRequests(stage.vip, REQUESTS), (tally) =>
    answeredBy(tally, others),
  );

  say(`\n4. start ${victim.name} again`);
  const again = await startBackend(victim.name, victim.port);
  try {
    await untilStatus(stage, victim.name, BackendStatus.ONLINE);
    say(`   ${victim.name} is ONLINE`);
    expect("its traffic came back", await sendRequests(stage.vip, REQUESTS), (tally) => answeredBy(tally, names));
  } finally {
    await again.kill();
  }
  return expect.allMet();
}

/** Whether exactly these answered, and nothing failed. */
function answeredBy({ answers, failures }: Tally, names: readonly string[]): boolean {
  return failures.size === 0 && [...answers.keys()].toSorted().join() === [...names].toSorted().join();
}

function createExpectations(say: Say) {
  let met = true;
  const expect = (what: string, tally: Tally, holds: (tally: Tally) => boolean): void => {
    const ok = holds(tally);
    met &&= ok;
    say(`   ${describeTally(tally)}`);
    say(`   ${ok ? "ok  " : "FAIL"} ${what}`);
  };
  return Object.assign(expect, { allMet: () => met });
}

/** Waits for a backend's status. @returns its reason */
async function untilStatus(
  stage: Pick<Stage, "client" | "poolId">,
  name: string,
  status: BackendStatus,
): Promise<string> {
  const signal = AbortSignal.timeout(DEADLINE_MS);
  for (;;) {
    const { backends } = await stage.client.backends.listBackends({ poolId: stage.poolId, name }, { signal });
    const [backend] = backends;
    if (backend?.status === status) return backend.statusReason;
  }
}
