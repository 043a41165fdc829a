import { expect, test } from "@jest/globals";

import type { ObjectKey, Service, ServiceSource } from "../src/index.ts";

// The package is types only so far: this is the shape that a host writes its adapter against, checked by the compiler.
test("a source can be written against the types", async () => {
  const services = new Map<string, Service>();
  const keyOf = ({ namespace, name }: ObjectKey): string => `${namespace}/${name}`;
  const source: ServiceSource = {
    listServices: () => Promise.resolve([...services.values()]),
    getService: (key) => Promise.resolve(services.get(keyOf(key))),
    listPods: () => Promise.resolve([]),
    async *watch() {},
    setIngressIps(key, ingressIps) {
      const service = services.get(keyOf(key));
      if (service !== undefined) services.set(keyOf(key), { ...service, ingressIps });
      return Promise.resolve();
    },
  };
  const meta = {
    namespace: "shop",
    name: "web",
    uid: "1",
    labels: {},
    annotations: {},
    orgId: "acme",
    projectId: "shop",
  };
  services.set("shop/web", {
    meta,
    type: "LoadBalancer",
    selector: { app: "web" },
    ports: [{ name: "http", port: 80, targetPort: "http", protocol: "TCP" }],
    loadBalancerSourceRanges: [],
    sessionAffinity: "None",
    externalTrafficPolicy: "Cluster",
    ingressIps: [],
  });
  await source.setIngressIps(meta, ["203.0.113.1"]);
  expect((await source.getService(meta))?.ingressIps).toEqual(["203.0.113.1"]);
});
