// What the operator sees of etcd.
import type { Cluster } from "./cluster.ts";
import { addressOf, nodeNames } from "./plan.ts";

interface EndpointStatus {
  readonly Endpoint: string;
  readonly Status: { readonly header: { readonly member_id: number }; readonly leader: number };
}

/** The node whose member leads. @throws Error when there is no leader now */
export async function etcdLeader({ lab }: Cluster): Promise<string> {
  const output = await lab
    .host("admin")
    .mustRun(". /etc/fiberlb/admin.env; etcdctl endpoint status --write-out=json 2>/dev/null");
  const members = JSON.parse(output) as readonly EndpointStatus[];
  const leader = members.find(({ Status: { header, leader: id } }) => header.member_id === id);
  const node = nodeNames.find((name) => leader?.Endpoint.includes(`${addressOf(name, "management")}:`) === true);
  if (node === undefined) throw new Error(`etcd has no leader: ${output}`);
  return node;
}
