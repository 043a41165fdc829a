import { Namespace } from "./testbed.ts";

/** Addresses of the testbed, IPv4 or IPv6. */
export interface DsrAddresses {
  readonly vip: string;
  readonly client: string;
  readonly balancers: readonly [string, string];
  readonly backends: readonly string[];
}

const BACKENDS = 3;
const numbers = Array.from({ length: BACKENDS }, (_, index) => 10 + index);
/** IPv4. */
export const DSR_V4: DsrAddresses = {
  vip: "203.0.113.1",
  client: "10.1.0.2",
  balancers: ["10.2.0.2", "10.2.0.3"],
  backends: numbers.map((number) => `10.2.0.${number}`),
};
/** IPv6. */
export const DSR_V6: DsrAddresses = {
  vip: "2001:db8::1",
  client: "fd01::2",
  balancers: ["fd02::2", "fd02::3"],
  backends: numbers.map((number) => `fd02::${number}`),
};

/** The device of balancers and backends. */
export const DSR_DEVICE = "lan0";

/**
 * client – router – switch – two balancers and three backends, each a host of its own. VIPs are on lo of the backends,
 * which don't say so to anybody; the router sends them to one of the balancers.
 */
export class DsrTestbed {
  readonly client = new Namespace("client");
  readonly router = new Namespace("router");
  readonly balancers = [new Namespace("lb"), new Namespace("lb")] as const;
  readonly backends = numbers.map(() => new Namespace("be"));

  constructor() {
    const { router, client } = this;
    router.ip("link", "add", "switch0", "type", "bridge");
    router.ip("link", "set", "switch0", "up");
    address(router, "switch0", "10.2.0.1/24", "fd02::1/64");
    router.ip("link", "add", "outside", "type", "veth", "peer", "name", DSR_DEVICE, "netns", client.name);
    router.ip("link", "set", "outside", "up");
    address(router, "outside", "10.1.0.1/24", "fd01::1/64");
    router.exec("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
    // The router must not tell clients, or itself, of a shorter way.
    router.exec("sysctl", "-qw", "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.switch0.send_redirects=0");
    join(client, { addresses: [`${DSR_V4.client}/24`, `${DSR_V6.client}/64`], gateways: ["10.1.0.1", "fd01::1"] });
    this.balancers.forEach((balancer, index) => this.#plug(balancer, `lb${index}`, `${2 + index}`));
    this.backends.forEach((backend, index) => {
      this.#plug(backend, `be${index}`, `${numbers[index]}`);
      backend.exec("sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2");
      address(backend, "lo", `${DSR_V4.vip}/32`, `${DSR_V6.vip}/128`);
    });
    this.routeTo(0);
  }

  /** Sends packets for the VIPs to one of the balancers. */
  routeTo(balancer: 0 | 1): void {
    this.router.ip("route", "replace", DSR_V4.vip, "via", DSR_V4.balancers[balancer]);
    this.router.ip("-6", "route", "replace", DSR_V6.vip, "via", DSR_V6.balancers[balancer]);
  }

  remove(): void {
    for (const namespace of [this.client, ...this.balancers, ...this.backends, this.router]) namespace.remove();
  }

  #plug(host: Namespace, port: string, number: string): void {
    const { router } = this;
    router.ip("link", "add", port, "type", "veth", "peer", "name", DSR_DEVICE, "netns", host.name);
    router.ip("link", "set", port, "master", "switch0", "up");
    join(host, { addresses: [`10.2.0.${number}/24`, `fd02::${number}/64`], gateways: ["10.2.0.1", "fd02::1"] });
  }
}

function address(at: Namespace, device: string, ...addresses: readonly string[]): void {
  for (const one of addresses) {
    const isIpv6 = one.includes(":");
    at.ip(...(isIpv6 ? ["-6"] : []), "addr", "add", one, "dev", device, ...(isIpv6 ? ["nodad"] : []));
  }
}

function join(
  host: Namespace,
  { addresses, gateways }: { readonly addresses: readonly string[]; readonly gateways: readonly [string, string] },
): void {
  address(host, DSR_DEVICE, ...addresses);
  host.ip("link", "set", DSR_DEVICE, "up");
  host.ip("route", "add", "default", "via", gateways[0]);
  host.ip("-6", "route", "add", "default", "via", gateways[1]);
}
