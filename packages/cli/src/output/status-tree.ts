import type { DescEnum } from "@bufbuild/protobuf";
import {
  BackendStatusSchema,
  type BackendStatusEntry,
  ListenerProtocolSchema,
  type ListenerStatus,
  type LoadBalancerStatus,
  OperatingStatusSchema,
  PoolAlgorithmSchema,
  type PoolStatus,
  ProvisioningStatus,
  ProvisioningStatusSchema,
} from "@fiberlb/api";
import { formatHostPort } from "@fiberlb/types";

import { shortEnumName } from "../fields/enum-names.ts";
import { type Palette, paintStatus } from "./colour.ts";
import type { TreeNode } from "./tree.ts";

interface Statuses {
  readonly provisioningStatus: number;
  readonly operatingStatus: number;
  readonly statusReason: string;
}

/** How a node looks below another one, whose provisioning status and reason it need not repeat. */
interface Look {
  readonly palette: Palette;
  readonly above?: Statuses;
}

/** Load balancer → listener → pool → backend; pools that no listener uses come last, below the load balancer. */
export function statusTree(status: LoadBalancerStatus, palette: Palette): TreeNode {
  const used = new Set(status.listeners.flatMap(({ pools }) => pools.map(({ id }) => id)));
  const idle = status.pools.filter(({ id }) => !used.has(id));
  const below: Look = { palette, above: status };
  return {
    text: line({ palette }, [palette.strong(status.name), status.vipAddress], status),
    children: [
      ...status.listeners.map((listener) => listenerNode(listener, below)),
      ...idle.map((pool) => poolNode(pool, below, palette.faint("used by no listener"))),
    ],
  };
}

function listenerNode(listener: ListenerStatus, look: Look): TreeNode {
  const protocol = enumText(ListenerProtocolSchema, listener.protocol);
  const { palette } = look;
  return {
    text: line(look, ["listener", palette.strong(listener.name), `${protocol}:${listener.port}`], listener),
    children: listener.pools.map((pool) => poolNode(pool, { palette, above: listener })),
  };
}

function poolNode(pool: PoolStatus, look: Look, note = ""): TreeNode {
  const algorithm = enumText(PoolAlgorithmSchema, pool.algorithm);
  const { palette } = look;
  return {
    text: line(look, ["pool", palette.strong(pool.name), algorithm, note], pool),
    children: pool.backends.map((backend) => backendNode(backend, { palette, above: pool })),
  };
}

function backendNode(backend: BackendStatusEntry, look: Look): TreeNode {
  const { palette } = look;
  const address = formatHostPort(backend.address, backend.port);
  const status = paintStatus(palette, enumText(BackendStatusSchema, backend.status));
  const parts = ["backend", palette.strong(backend.name), address, `weight ${backend.weight}`, status];
  return { text: join([...parts, reason(look, backend)]), children: [] };
}

/** ACTIVE is how it should be and is left out. */
function line(look: Look, parts: readonly string[], statuses: Statuses): string {
  const { provisioningStatus, operatingStatus } = statuses;
  const isTold =
    provisioningStatus === look.above?.provisioningStatus || provisioningStatus === ProvisioningStatus.ACTIVE;
  const provisioning = isTold ? "" : enumText(ProvisioningStatusSchema, provisioningStatus);
  const shown = [provisioning, enumText(OperatingStatusSchema, operatingStatus)];
  return join([...parts, ...shown.map((status) => paintStatus(look.palette, status)), reason(look, statuses)]);
}

function reason({ palette, above }: Look, { statusReason }: Pick<Statuses, "statusReason">): string {
  return statusReason === "" || statusReason === above?.statusReason ? "" : palette.faint(`(${statusReason})`);
}

const join = (parts: readonly string[]): string => parts.filter((part) => part !== "").join("  ");

function enumText(desc: DescEnum, value: number): string {
  const name = desc.values.find(({ number }) => number === value)?.name;
  return name === undefined ? String(value) : value === 0 ? "" : shortEnumName(desc, name);
}
