import { unmapIpv4 } from "./system-error.ts";
import type { SocketName } from "./tcp-binding.ts";

/** @param ask the handle's own question; absent when the handle is gone. */
export function nameOf(ask: ((out: Partial<SocketName>) => number) | undefined): SocketName {
  const name = { address: "", port: 0 };
  if (ask === undefined || ask(name) !== 0) return { address: "0.0.0.0", port: 0 };
  return { address: unmapIpv4(name.address), port: name.port };
}
