import type { Config } from "../config/config.ts";
import { checkDirectReturn } from "./direct-return-checks.ts";
import type { DoctorFacts } from "./facts.ts";
import type { Finding } from "./finding.ts";
import { checkGobgp } from "./gobgp-checks.ts";
import { checkKernel } from "./kernel-checks.ts";
import { checkLinks } from "./link-checks.ts";
import { checkNetwork } from "./network-checks.ts";
import { checkProcess } from "./process-checks.ts";
import { checkState } from "./state-checks.ts";

/** Findings that belong together. */
export interface Section {
  readonly title: string;
  readonly findings: readonly Finding[];
}

/** What the facts mean for a node with this configuration. Pure. */
export function examine(facts: DoctorFacts, config: Config): readonly Section[] {
  return [
    { title: "This process", findings: checkProcess(facts, config) },
    { title: "Network", findings: checkNetwork(facts, config) },
    { title: "Forwarding in the kernel", findings: checkKernel(facts, config) },
    { title: "VIPs on a link", findings: checkLinks(facts, config) },
    { title: "Direct server return", findings: checkDirectReturn(facts) },
    { title: "State", findings: checkState(facts) },
    { title: "Announcing", findings: checkGobgp(facts, config) },
  ];
}
