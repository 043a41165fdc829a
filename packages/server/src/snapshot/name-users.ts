import { type Host, isIpHost } from "@fiberlb/types";

/** Which load balancers call their backends by which DNS names. IP addresses are no names. */
export class NameUsers {
  readonly #users = new Map<string, Set<string>>();
  readonly #namesOf = new Map<string, ReadonlySet<string>>();
  #names: ReadonlySet<string> | undefined;

  /** All names in use. The same object for as long as no name comes or goes. */
  get names(): ReadonlySet<string> {
    return (this.#names ??= new Set(this.#users.keys()));
  }

  /** Replaces the hosts of a load balancer; none forgets it. */
  set(loadBalancerId: string, hosts: Iterable<string>): void {
    const before = this.#namesOf.get(loadBalancerId) ?? new Set<string>();
    const after = new Set([...new Set(hosts)].filter((host) => !isIpHost(host as Host)));
    for (const name of before.difference(after)) this.#remove(name, loadBalancerId);
    for (const name of after.difference(before)) this.#add(name, loadBalancerId);
    if (after.size > 0) this.#namesOf.set(loadBalancerId, after);
    else this.#namesOf.delete(loadBalancerId);
  }

  /** Load balancers that use one of these names. */
  usersOf(names: Iterable<string>): ReadonlySet<string> {
    return new Set([...names].flatMap((name) => [...(this.#users.get(name) ?? [])]));
  }

  #add(name: string, loadBalancerId: string): void {
    const users = this.#users.get(name);
    if (users !== undefined) users.add(loadBalancerId);
    else {
      this.#users.set(name, new Set([loadBalancerId]));
      this.#names = undefined;
    }
  }

  #remove(name: string, loadBalancerId: string): void {
    const users = this.#users.get(name);
    users?.delete(loadBalancerId);
    if (users?.size !== 0) return;
    this.#users.delete(name);
    this.#names = undefined;
  }
}
