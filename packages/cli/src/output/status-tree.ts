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
  ProvisioningStatusSchema,
} from "@fiberlb/api";
import { formatHostPort } from "@fiberlb/types";

import { shortEnumName } from "../fields/enum-names.ts";
import { type Palette, paintStatus } from "./colour.ts";
import type { TreeNode } from "./tree.ts";

/** Load balancer → listener → pool → backend; pools that no listener uses come last, below the load balancer. */
export function statusTree(status: LoadBalancerStatus, palette: Palette): TreeNode {
  const used = new Set(status.listeners.flatMap(({ pools }) => pools.map(({ id }) => id)));
  const idle = status.pools.filter(({ id }) => !used.has(id));
  return {
    text: line(palette, [palette.strong(status.name), status.vipAddress], status),
    children: [
      ...status.listeners.map((listener) => listenerNode(listener, palette)),
      ...idle.map((pool) => poolNode(pool, palette, palette.faint("used by no listener"))),
    ],
  };
}

function listenerNode(listener: ListenerStatus, palette: Palette): TreeNode {
  const protocol = enumText(ListenerProtocolSchema, listener.protocol);
  return {
    text: line(palette, ["listener", palette.strong(listener.name), `${protocol}:${listener.port}`], listener),
    children: listener.pools.map((pool) => poolNode(pool, palette)),
  };
}

function poolNode(pool: PoolStatus, palette: Palette, note = ""): TreeNode {
  const algorithm = enumText(PoolAlgorithmSchema, pool.algorithm);
  return {
    text: line(palette, ["pool", palette.strong(pool.name), algorithm, note], pool),
    children: pool.backends.map((backend) => backendNode(backend, palette)),
  };
}

function backendNode(backend: BackendStatusEntry, palette: Palette): TreeNode {
  const address = formatHostPort(backend.address, backend.port);
  const status = paintStatus(palette, enumText(BackendStatusSchema, backend.status));
  const parts = [
    "backend",
    palette.strong(backend.name),
    address,
    `weight ${backend.weight}`,
    status,
    reason(palette, backend),
  ];
  return { text: join(parts), children: [] };
}

interface Statuses {
  readonly provisioningStatus: number;
  readonly operatingStatus: number;
  readonly statusReason: string;
}

/** ACTIVE is how it should be and is left out. */
function line(palette: Palette, parts: readonly string[], statuses: Statuses): string {
  const provisioning = enumText(ProvisioningStatusSchema, statuses.provisioningStatus);
  const operating = enumText(OperatingStatusSchema, statuses.operatingStatus);
  const shown = provisioning === "ACTIVE" || provisioning === "" ? [operating] : [provisioning, operating];
  return join([...parts, ...shown.map((status) => paintStatus(palette, status)), reason(palette, statuses)]);
}

const reason = (palette: Palette, { statusReason }: { readonly statusReason: string }): string =>
  statusReason === "" ? "" : palette.faint(`(${statusReason})`);

const join = (parts: readonly string[]): string => parts.filter((part) => part !== "").join("  ");

function enumText(desc: DescEnum, value: number): string {
  const name = desc.values.find(({ number }) => number === value)?.name;
  return name === undefined ? String(value) : value === 0 ? "" : shortEnumName(desc, name);
}
