// A node in a namespace of its own: announces VIPs on eth0, and answers datagrams to them with its name.
import { createSocket } from "node:dgram";

import { openEtcdStore } from "@fiberlb/store";

import type { VipAbility } from "../../src/announce/ability.ts";
import { createL2Announcer } from "../../src/announce/l2/announcer.ts";
import { permitNonlocalBind } from "../../src/announce/l2/nonlocal-bind.ts";
import { systemClock } from "../../src/clock.ts";
import { createLog } from "../../src/log.ts";
import { connectStore, type TestStore } from "./l2-store.ts";

export interface L2NodeOptions {
  readonly node: string;
  readonly store: TestStore["address"];
  readonly vips: readonly string[];
  readonly port: number;
}

export type L2NodeCommand = { readonly draining: boolean } | "stop";

const { node, store, vips, port } = JSON.parse(process.argv[2] as string) as L2NodeOptions;
const log = createLog({ level: "debug", format: "json", write: (line) => process.stderr.write(`${node} ${line}\n`) });

const problems = permitNonlocalBind(["IPV4", "IPV6"], { log });
if (problems.size > 0) throw new Error([...problems.values()].join("; "));
for (const vip of vips) {
  const socket = createSocket(vip.includes(":") ? "udp6" : "udp4");
  socket.on("message", (_question, { address, port: to }) => socket.send(node, to, address));
  socket.on("error", () => undefined);
  await new Promise<void>((resolve) => socket.bind(port, vip, resolve));
}

const announcer = createL2Announcer({
  store: "socket" in store ? connectStore(store.socket) : await openEtcdStore({ endpoints: [store.etcd] }),
  clock: systemClock,
  log,
  node,
  interfaceOf: () => "eth0",
  preemptAfterMs: 0,
});
announcer.apply(
  vips.map((vip): VipAbility => ({
    vip,
    loadBalancerId: vip,
    vipPool: "default",
    canServe: true,
    reason: "",
    canAnswer: true,
    kernelOnly: false,
  })),
);
process.on("message", (command: L2NodeCommand) => {
  if (command === "stop")
    void announcer
      .withdrawAll()
      .then(() => announcer.stop())
      .then(() => process.exit(0));
  else announcer.setDraining(command.draining);
});
process.on("disconnect", () => process.exit(0));
process.send?.("ready");
