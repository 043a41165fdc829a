import type { FakeWorld, Outcome } from "./fake-io.ts";

/** The contract's example, with a certificate. */
export const WEB = `
loadBalancers:
  - name: web
    vipAddress: 127.10.0.1
    pools:
      - name: app
        protocol: HTTP
        algorithm: MAGLEV
        backends: [ { address: 127.0.0.1, port: 9001 }, { address: 127.0.0.1, port: 9002 } ]
        healthCheck: { type: HTTP, intervalMs: 1000, timeoutMs: 500, http: { path: / } }
    listeners:
      - { name: http, protocol: HTTP, port: 8080, defaultPool: app,
          policies: [ { name: api, action: REDIRECT_TO_POOL, pool: app, rules: [ { type: PATH, compareType: STARTS_WITH, value: /api } ] } ] }
`;

/** A load balancer `web` with pool `app`, backend `b1` and TCP listener `tcp`, made by commands. */
export async function makeWeb(world: FakeWorld): Promise<void> {
  const commands = [
    "create lb --name web --vip-address 127.10.0.1 --tag team=shop",
    "create pool --load-balancer web --name app --algorithm maglev",
    "create backend --pool web/app --address 10.0.0.5 --port 8080 --name b1",
    "create listener --load-balancer web --name tcp --protocol tcp --port 80 --default-pool app",
  ];
  for (const command of commands) {
    const { code, stderr } = await world.run(...command.split(" "));
    if (code !== 0) throw new Error(stderr);
  }
  world.server.calls.length = 0;
}

/** Applies a text. */
export function applyText(world: FakeWorld, text: string, ...flags: readonly string[]): Promise<Outcome> {
  world.files.set("/etc/lb/web.yaml", text);
  return world.run("apply", "-f", "/etc/lb/web.yaml", ...flags);
}

/** Something that looks like a certificate; the same letter gives the same. */
export const pem = (letter: string): string =>
  `-----BEGIN CERTIFICATE-----\n${letter.repeat(8)}\n-----END CERTIFICATE-----\n`;

/** A key for anything. */
export const KEY = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
