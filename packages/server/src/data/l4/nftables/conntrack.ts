import type { RunCommand } from "./command.ts";
import { familyOf } from "./family.ts";
import type { FlowGroup } from "./flows.ts";

/** `conntrack` for one group. Both ends are named: other flows of the backend, or of the VIP, are none of ours. */
export function deleteArguments({ endpoint, address, port }: FlowGroup): readonly string[] {
  const family = familyOf(address).suffix === "6" ? "ipv6" : "ipv4";
  return [
    "-D",
    "-f",
    family,
    "-p",
    endpoint.transport,
    "--orig-dst",
    endpoint.vip,
    "--orig-port-dst",
    String(endpoint.port),
    "--reply-src",
    address,
    "--reply-port-src",
    String(port),
  ];
}

/**
 * Makes the kernel forget connections: their next packet is a stranger's. A new UDP flow goes to a backend in rotation; a
 * TCP connection ends with the reset of whoever gets that packet.
 *
 * @throws Error that says why it could not be done
 */
export async function deleteFlows(run: RunCommand, group: FlowGroup): Promise<void> {
  const result = await run({ name: "conntrack", args: deleteArguments(group) }).catch(
    (error: NodeJS.ErrnoException) => {
      const why = error.code === "ENOENT" ? "conntrack is not installed; install the package conntrack" : error.message;
      throw new Error(why, { cause: error });
    },
  );
  // It also fails when there was nothing to delete.
  if (result.code === 0 || /0 flow entries have been deleted/.test(result.stderr)) return;
  throw new Error(result.stderr.trim().split("\n").at(-1) || `conntrack ended with code ${result.code}`);
}
