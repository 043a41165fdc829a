import { type Endpoint, endpointKey } from "./family.ts";

/** Connections that the kernel tracks, from one endpoint to one backend. */
export interface FlowGroup {
  readonly endpoint: Endpoint;
  readonly address: string;
  readonly port: number;
}

/** What a group of flows is called by; also the key of its counters. */
export function flowKey({ endpoint, address, port }: FlowGroup): string {
  return `${endpointKey(endpoint)} . ${address} . ${port}`;
}
