import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import * as http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";

import type { DescMessage, Message } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { parseSpec, type ResourceKind } from "@fiberlb/types";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";

import * as api from "../src/index.ts";

const PACKAGE = new URL("..", import.meta.url);
const readme = readFileSync(new URL("README.md", PACKAGE), "utf8");

/** Each example with the output that the README shows under it. */
const examples = [...readme.matchAll(/```ts\n(.*?)```\s+```text\n(.*?)```/gs)].map(([, code = "", output = ""]) => ({
  code,
  output,
}));

/** Checks like the server does and gives everything the same id. */
function answer(kind: ResourceKind, schema: DescMessage, request: Message): Record<string, unknown> {
  const spec = parseSpec(kind, api.fromCreateRequest(schema, request).input);
  if (spec.ok) {
    const assigned = { id: "019a3c7e-0b1d-7c44-8f6e-2b9d1c5a7e30", vipAddress: "127.10.0.1" };
    return { [kind]: api.toMessage(api.resourceSchemas[kind], spec.value, assigned) };
  }
  const detail = { desc: api.googleRpc.BadRequestSchema, value: { fieldViolations: [...spec.violations] } };
  throw new ConnectError("", Code.InvalidArgument, undefined, [detail]);
}

const { loadBalancer, pool, backend, listener } = api.createRequestSchemas;
const routes = (router: ConnectRouter): void => {
  router
    .service(api.LoadBalancerService, {
      createLoadBalancer: (request) => answer("loadBalancer", loadBalancer, request),
    })
    .service(api.PoolService, { createPool: (request) => answer("pool", pool, request) })
    .service(api.BackendService, { createBackend: (request) => answer("backend", backend, request) })
    .service(api.ListenerService, { createListener: (request) => answer("listener", listener, request) });
};

const server = http2.createServer(connectNodeAdapter({ routes }));
beforeAll(() => once(server.listen(0, "127.0.0.1"), "listening"));
afterAll(async () => {
  const closed = once(server, "close");
  server.close();
  await closed;
});

async function run(code: string): Promise<string> {
  const flags = [
    "--conditions=@fiberlb/source",
    "--disable-warning=ExperimentalWarning",
    "--input-type=module-typescript",
  ];
  const here = code.replace(":9080", `:${(server.address() as AddressInfo).port}`);
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, "--eval", here], { cwd: PACKAGE });
  return stdout;
}

describe("README", () => {
  it("shows the output of every example", () => {
    expect(examples).toHaveLength(readme.match(/```ts\n/g)?.length ?? 0);
  });

  it.each(examples.map(({ code, output }, index) => [index + 1, code, output] as const))(
    "example %d runs",
    async (_, code, output) => {
      expect(await run(code)).toBe(output);
    },
    60_000,
  );
});
