import { type KeyRange, prefixRange } from "@fiberlb/store";

import type { HostObject, Kind } from "./kinds.ts";

/** Names an object. A node has the name only; the other parts are empty. */
export interface Place {
  readonly orgId: string;
  readonly projectId: string;
  readonly namespace: string;
  readonly name: string;
}

/** Which objects of a kind; an absent part is any. */
export type Scope = Partial<Omit<Place, "name">>;

const ROOT = "/k8shost/v1/";
const OBJECTS = `${ROOT}objects/`;
const NODE_ROOT = `${ROOT}nodes/`;

/** Everything that the host keeps. */
export const HOST_RANGE: KeyRange = prefixRange(ROOT);

/** The tenant comes first, so that one range is one tenant. Checked names hold no slash. */
export function objectKey({ plural }: Kind<HostObject>, { orgId, projectId, namespace, name }: Place): string {
  if (plural === "nodes") return `${NODE_ROOT}${name}`;
  return `${OBJECTS}${orgId}/${projectId}/${namespace}/${plural}/${name}`;
}

/** The narrowest range with all objects of a scope; it may hold other kinds too. */
export function scopeRange({ plural }: Kind<HostObject>, { orgId, projectId, namespace }: Scope): KeyRange {
  if (plural === "nodes") return prefixRange(NODE_ROOT);
  if (orgId === undefined || projectId === undefined) return prefixRange(OBJECTS);
  if (namespace === undefined) return prefixRange(`${OBJECTS}${orgId}/${projectId}/`);
  return prefixRange(`${OBJECTS}${orgId}/${projectId}/${namespace}/${plural}/`);
}

/** What a key of the store names; undefined for what is no object. */
export function parseKey(key: string): { readonly plural: string; readonly place: Place } | undefined {
  if (key.startsWith(NODE_ROOT)) {
    return { plural: "nodes", place: { orgId: "", projectId: "", namespace: "", name: key.slice(NODE_ROOT.length) } };
  }
  if (!key.startsWith(OBJECTS)) return undefined;
  const [orgId, projectId, namespace, plural, name] = key.slice(OBJECTS.length).split("/");
  if (name === undefined || orgId === undefined || projectId === undefined) return undefined;
  if (namespace === undefined || plural === undefined) return undefined;
  return { plural, place: { orgId, projectId, namespace, name } };
}

/** Says which Service has an address. */
export const clusterIpKey = (ip: string): string => `${ROOT}cluster-ips/${ip}`;

export const CLUSTER_IP_RANGE: KeyRange = prefixRange(clusterIpKey(""));

/** Held under a lease by the one process whose loops work. */
export const LEADER_KEY = `${ROOT}leader`;
