import type { IpAddress } from "@fiberlb/types";

import { type RunCommand, runCommand } from "../data/l4/nftables/command.ts";
import { isOnLink } from "../data/l4/nftables/dsr-eligibility.ts";
import { NETDEV_TABLE } from "../data/l4/nftables/fragment.ts";
import { parseNeighbours } from "../data/l4/nftables/neighbours.ts";
import { Nft } from "../data/l4/nftables/nft.ts";
import type { DirectReturnBackend, DirectReturnFacts, DoctorFacts } from "./facts.ts";

/** Each takes a call of nft, or up to two seconds of waiting, all at once. */
const MAX_POOLS = 64;
const MAX_VIPS = 8;

/** Looks at what the kernel does by direct server return now; undefined when it does nothing, or does not tell. */
export async function probeDirectReturn(
  networks: DoctorFacts["networks"],
  run: RunCommand = runCommand,
): Promise<DirectReturnFacts | undefined> {
  try {
    const nft = new Nft(run, NETDEV_TABLE);
    const pools = (await nft.chains()).filter((name) => name.startsWith("pool."));
    if (pools.length === 0) return undefined;
    const addresses = new Set<string>();
    for (const name of pools.slice(0, MAX_POOLS)) {
      for (const { data } of await nft.elements("map", name.replace("pool.", "members."))) addresses.add(data);
    }
    const backends = lookAt([...addresses], { networks, neighbours: parseNeighbours(await neighbourTable(run)) });
    const endpoints = await nft.elements("map", "endpoints4").catch(() => []);
    const vips = [...new Set(endpoints.map(({ key }) => key.split(" . ", 1)[0] as string))];
    const interfaces = [...new Set(backends.flatMap((backend) => backend.interface ?? []))];
    return { backends, claimed: await askFor(vips.slice(0, MAX_VIPS), { interfaces, run }) };
  } catch {
    // Without nft, the right to look, or a table there is nothing to see; nft itself is judged elsewhere.
    return undefined;
  }
}

const neighbourTable = async (run: RunCommand): Promise<string> =>
  (await run({ name: "ip", args: ["-j", "neigh", "show"] })).stdout;

function lookAt(
  addresses: readonly string[],
  { networks, neighbours }: Pick<DoctorFacts, "networks"> & { readonly neighbours: ReturnType<typeof parseNeighbours> },
): readonly DirectReturnBackend[] {
  return addresses.map((address) => ({
    address,
    interface: networks.find(({ cidr }) => isIn(address, cidr))?.interface,
    neighbour: neighbours.get(address) ?? "absent",
  }));
}

function isIn(address: string, cidr: string): boolean {
  const [own = "", prefixLength] = cidr.split("/");
  return isOnLink(address as IpAddress, { device: "", address: own, prefixLength: Number(prefixLength) });
}

/** Asks the links who has these; undefined when that cannot be done. */
async function askFor(
  vips: readonly string[],
  { interfaces, run }: { readonly interfaces: readonly string[]; readonly run: RunCommand },
): Promise<DirectReturnFacts["claimed"]> {
  const pairs = vips.flatMap((vip) => interfaces.map((device) => ({ vip, device })));
  const answers = await Promise.all(
    pairs.map(({ vip, device }) => arping(run, ["-c", "1", "-w", "2", "-I", device, vip])),
  );
  if (answers.includes(undefined)) return undefined;
  return pairs.flatMap(({ vip, device }, index) => {
    const by = /(?:[0-9a-f]{2}:){5}[0-9a-f]{2}/iu.exec(answers[index] as string)?.[0];
    return by === undefined ? [] : [{ vip, interface: device, by: by.toLowerCase() }];
  });
}

/** @returns what arping printed, empty when nobody answered; undefined when it cannot be run */
async function arping(run: RunCommand, args: readonly string[]): Promise<string | undefined> {
  const result = await run({ name: "arping", args }).catch(() => undefined);
  if (result?.code === 0) return result.stdout;
  return result?.code === 1 ? "" : undefined;
}
