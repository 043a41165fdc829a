import { unmapIpv4 } from "./system-error.ts";
import type { SocketName, TcpHandle } from "./tcp-binding.ts";
import type { ProxiedEndpoints } from "./transport.ts";

/** Between whom the connection of a handle is. The system is asked only when somebody wants to know. */
export class HandleEndpoints {
  proxied: ProxiedEndpoints | undefined;
  readonly #handle: TcpHandle;
  #remote: SocketName | undefined;

  /** @param target where the handle connects to; absent for an accepted connection. */
  constructor(handle: TcpHandle, target: SocketName | undefined) {
    this.#handle = handle;
    this.#remote = target;
  }

  get remoteAddress(): string {
    return (this.proxied?.source ?? this.#askRemote()).address;
  }

  get remotePort(): number {
    return (this.proxied?.source ?? this.#askRemote()).port;
  }

  get localAddress(): string {
    return nameOf((out) => this.#handle.getsockname(out)).address;
  }

  get localPort(): number {
    return nameOf((out) => this.#handle.getsockname(out)).port;
  }

  #askRemote(): SocketName {
    return (this.#remote ??= nameOf((out) => this.#handle.getpeername(out)));
  }
}

/** @param ask the handle's own question, which it answers with an error once it is closed. */
function nameOf(ask: (out: Partial<SocketName>) => number): SocketName {
  const name = { address: "", port: 0 };
  if (ask(name) !== 0) return { address: "0.0.0.0", port: 0 };
  return { address: unmapIpv4(name.address), port: name.port };
}
