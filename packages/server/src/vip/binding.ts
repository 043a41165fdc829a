/**
 * Which VIPs must be made local addresses of this host, and which given back. Pure; `binder.ts` does it.
 */

/** How VIPs become local: put on lo, expected to be there, or made local by a route. */
export type BindMode = "assign" | "existing" | "anyip";

/** What is so, and what should be. Addresses are canonical IP text. */
export interface BindingState {
  readonly mode: BindMode;
  /** VIPs that this node serves. */
  readonly desired: ReadonlySet<string>;
  /** Addresses the host has, ours included. */
  readonly local: ReadonlySet<string>;
  /** Those that we made local, this process or one before it. */
  readonly ours: ReadonlySet<string>;
}

/** What to do. */
export interface BindingPlan {
  readonly add: readonly string[];
  readonly remove: readonly string[];
}

/** Only what we added is ever removed; an address that is local already, and all of 127/8, is left alone. */
export function planBinding({ mode, desired, local, ours }: BindingState): BindingPlan {
  const remove = [...ours].filter((address) => !desired.has(address) || mode === "existing");
  const add =
    mode === "existing" ? [] : [...desired].filter((address) => !ours.has(address) && !isLocal(address, local));
  return { add: add.toSorted(), remove: remove.toSorted() };
}

function isLocal(address: string, local: ReadonlySet<string>): boolean {
  return address.startsWith("127.") || local.has(address);
}

/** Arguments of `ip` that make an address local (`add`) or give it back (`del`). */
export function ipArguments(verb: "add" | "del", address: string, mode: "assign" | "anyip"): readonly string[] {
  const v6 = address.includes(":");
  const prefix = `${address}/${v6 ? 128 : 32}`;
  const family = v6 ? "-6" : "-4";
  if (mode === "anyip") return [family, "route", verb === "add" ? "replace" : "del", "local", prefix, "dev", "lo"];
  // Duplicate address detection would keep an IPv6 address from being bound for a second, and lo has no neighbours.
  return [family, "addr", verb, prefix, "dev", "lo", ...(v6 && verb === "add" ? ["nodad"] : [])];
}
