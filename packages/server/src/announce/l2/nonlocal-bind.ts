import { readFileSync, writeFileSync } from "node:fs";

import type { IpFamily } from "@fiberlb/types";

import type { Log } from "../../log.ts";

const SETTINGS: Readonly<Record<IpFamily, string>> = {
  IPV4: "net.ipv4.ip_nonlocal_bind",
  IPV6: "net.ipv6.ip_nonlocal_bind",
};

/**
 * Lets programs of this host bind addresses that it does not have. Listeners of l2 VIPs need it: they are open on every
 * node, so that a takeover opens nothing, and the address is on one. To be called before they are opened.
 * @returns by family, why it is not so; empty when all is well
 */
export function permitNonlocalBind(
  families: Iterable<IpFamily>,
  { log, root = "/proc/sys" }: { readonly log: Log; readonly root?: string },
): ReadonlyMap<IpFamily, string> {
  const problems = new Map<IpFamily, string>();
  for (const family of families) {
    const setting = SETTINGS[family];
    const file = `${root}/${setting.replaceAll(".", "/")}`;
    try {
      if (readFileSync(file, "utf8").trim() === "1") continue;
      writeFileSync(file, "1");
      log.info(`${setting} set to 1: listeners wait on VIPs of the link that other nodes have`);
    } catch (error) {
      problems.set(
        family,
        `${setting} is not 1 and can't be set (${(error as Error).message}): no listener can wait on a VIP that another node has; sysctl -w ${setting}=1, and in /etc/sysctl.d`,
      );
    }
  }
  return problems;
}
