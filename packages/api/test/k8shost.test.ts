import { once } from "node:events";
import * as http2 from "node:http2";
import type { AddressInfo } from "node:net";

import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { expect, test } from "@jest/globals";

import { createK8shostClient, ServiceService, ServiceType } from "../src/k8shost.ts";

test("a client of k8shost says who is calling, and lets a call speak for another tenant", async () => {
  const seen: string[] = [];
  const routes = connectNodeAdapter({
    routes: (router) =>
      void router.service(ServiceService, {
        getService({ name }, { requestHeader }) {
          const header = (key: string): string => requestHeader.get(key) ?? "-";
          seen.push(`${header("x-org-id")}/${header("x-project-id")} ${header("authorization")}`);
          if (name === "none") throw new ConnectError("Service none does not exist", Code.NotFound);
          return { service: { metadata: { name }, spec: { type: ServiceType.LOAD_BALANCER } } };
        },
      }),
  });
  const server = http2.createServer(routes);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = createK8shostClient({ baseUrl, org: "acme", project: "shop", token: "t" });
  try {
    const { service } = await client.services.getService({ name: "web" });
    expect([service?.metadata?.name, service?.spec?.type]).toEqual(["web", ServiceType.LOAD_BALANCER]);
    const headers = { "x-org-id": "beta", "x-project-id": "lab" };
    await expect(client.services.getService({ name: "none" }, { headers })).rejects.toThrow(/does not exist/);
    expect(seen).toEqual(["acme/shop Bearer t", "beta/lab Bearer t"]);
  } finally {
    client.close();
    server.close();
  }
});
