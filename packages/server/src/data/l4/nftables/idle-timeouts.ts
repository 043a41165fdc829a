/**
 * How long the kernel remembers a connection on which nothing moves: conntrack's timeouts, one object for each value in
 * use. nft 1.0.6 cannot list them (it crashes), so a set beside them says which there are. Pure.
 */
import { type FamilyWords, IPV4, IPV6, type Transport } from "./family.ts";
import type { SetModel } from "./fragment.ts";

/** A timeout of connections of one protocol and family. */
export interface IdleTimeout {
  readonly family: FamilyWords;
  readonly transport: Transport;
  /** Whole seconds from 1. */
  readonly seconds: number;
}

/** The set that says which timeouts there are. */
export const IDLE_SET = "idle";

/** What is in {@link IDLE_SET} for a timeout: a number, because that is what a set without a protocol can hold. */
export function idleKey({ family, transport, seconds }: IdleTimeout): string {
  return String(seconds * 4 + (transport === "udp" ? 2 : 0) + (family === IPV6 ? 1 : 0));
}

/** The timeout that a key stands for. */
export function readIdleKey(key: string): IdleTimeout {
  const code = Number(key);
  return {
    family: code % 2 === 1 ? IPV6 : IPV4,
    transport: code % 4 >= 2 ? "udp" : "tcp",
    seconds: Math.floor(code / 4),
  };
}

/** Name of the object. */
export const idleName = ({ family, transport, seconds }: IdleTimeout): string =>
  `idle.${transport}.${seconds}.${family.suffix}`;

/** The object. States of TCP other than established keep the host's own timeouts. */
export function idleModel({ family: { ip }, transport, seconds }: IdleTimeout): SetModel {
  const policy = transport === "udp" ? `unreplied: ${seconds}, replied: ${seconds}` : `established: ${seconds}`;
  return {
    kind: "ct timeout",
    declaration: `protocol ${transport}; l3proto ${ip}; policy = { ${policy} };`,
    elements: new Map(),
  };
}

/** The rule that gives a connection its timeout, at its first packet. */
export const idleRule = (timeout: IdleTimeout): string => `ct timeout set "${idleName(timeout)}"`;
