import { ConditionStatus, LabelOperator, PodPhase, ServiceType } from "@fiberlb/api/k8shost";
import { describe, expect, test } from "@jest/globals";

import { pod, refusal, service, startStage, STORES } from "./stage.ts";

describe.each(STORES)("the API on a store of kind %s", (kind) => {
  test("a Pod is created with what only the server says, and read back", async () => {
    await using stage = await startStage({ kind });
    const { pods } = stage.client({ org: "acme", project: "shop" });
    const { pod: created } = await pods.createPod({ pod: pod("web-1", { labels: { app: "web" } }) });
    expect(created?.metadata).toMatchObject({
      name: "web-1",
      namespace: "default",
      orgId: "acme",
      projectId: "shop",
      generation: 1n,
      labels: { app: "web" },
    });
    expect(created?.metadata?.uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(created?.metadata?.createdAt).toBeDefined();
    expect(created?.status?.phase).toBe(PodPhase.PENDING);
    expect((await pods.getPod({ name: "web-1" })).pod).toEqual(created);
    expect(await refusal(pods.createPod({ pod: pod("web-1") }))).toMatchObject({
      code: "AlreadyExists",
      message: "Pod default/web-1 exists already",
    });
  });

  test("an update goes by resource version: of two that read the same, one is ABORTED with the current version", async () => {
    await using stage = await startStage({ kind });
    const { services } = stage.client();
    const { service: created } = await services.createService({ service: service("web") });
    const metadata = { name: "web", resourceVersion: created?.metadata?.resourceVersion ?? 0n };
    const ports = [{ port: 81 }];
    const first = await services.updateService({ service: { metadata, spec: { ports } } });
    expect(first.service?.metadata).toMatchObject({ generation: 2n, uid: created?.metadata?.uid });
    expect(first.service?.spec?.clusterIp).toBe(created?.spec?.clusterIp);
    const late = await refusal(services.updateService({ service: { metadata, spec: { ports: [{ port: 82 }] } } }));
    expect(late.code).toBe("Aborted");
    expect(late.message).toBe(
      `Service default/web has changed: resource_version ${metadata.resourceVersion} was sent, ` +
        `${first.service?.metadata?.resourceVersion} is current; read it again and repeat the change`,
    );
  });

  test("an update that changes nothing writes nothing; one of the status leaves the generation", async () => {
    await using stage = await startStage({ kind });
    const { services } = stage.client();
    const { service: created } = await services.createService({ service: service("web") });
    const { revision } = await stage.store.status();
    await services.updateService({
      service: { metadata: { name: "web" }, ...(created?.spec && { spec: created.spec }) },
    });
    expect((await stage.store.status()).revision).toBe(revision);
    const status = {
      loadBalancer: { ingress: [{ ip: "203.0.113.7" }] },
      conditions: [{ type: "LoadBalancerReady", status: ConditionStatus.TRUE, reason: "Ready", message: "serves" }],
    };
    const mask = { paths: ["status"] };
    const { service: updated } = await services.updateService({
      service: { metadata: { name: "web" }, status },
      updateMask: mask,
    });
    expect(updated?.metadata?.generation).toBe(1n);
    expect(updated?.status?.conditions[0]?.lastTransitionTime).toBeDefined();
    expect(updated?.spec).toEqual(created?.spec);
    const again = await services.updateService({ service: { metadata: { name: "web" }, status }, updateMask: mask });
    expect(again.service).toEqual(updated);
  });

  test("many that add a label at once without a version all get theirs", async () => {
    await using stage = await startStage({ kind });
    const { pods } = stage.client();
    await pods.createPod({ pod: pod("web-1") });
    const calls = Array.from({ length: 8 }, (_, index) =>
      pods.updatePod({
        pod: { metadata: { name: "web-1", annotations: { [`from-${index}`]: "here" } } },
        updateMask: { paths: ["metadata.annotations"] },
      }),
    );
    const versions = new Set((await Promise.all(calls)).map((answer) => answer.pod?.metadata?.resourceVersion));
    expect(versions.size).toBe(8);
  });

  test("finalizers hold an object until the last is removed; none can be added meanwhile", async () => {
    await using stage = await startStage({ kind });
    const { services } = stage.client();
    const held = service("web");
    await services.createService({
      service: { ...held, metadata: { name: "web", finalizers: ["fiberlb.io/load-balancer", "example.com/other"] } },
    });
    await services.deleteService({ name: "web" });
    const { service: marked } = await services.getService({ name: "web" });
    expect(marked?.metadata?.deletionTimestamp).toBeDefined();
    const keep = (finalizers: string[]) =>
      services.updateService({
        service: { metadata: { name: "web", finalizers } },
        updateMask: { paths: ["metadata.finalizers"] },
      });
    expect(await refusal(keep(["fiberlb.io/load-balancer", "example.com/new"]))).toMatchObject({
      code: "InvalidArgument",
      fields: ["service.metadata.finalizers"],
    });
    await keep(["example.com/other"]);
    expect((await services.getService({ name: "web" })).service?.metadata?.finalizers).toEqual(["example.com/other"]);
    await keep([]);
    expect((await refusal(services.getService({ name: "web" }))).code).toBe("NotFound");
    expect((await refusal(services.deleteService({ name: "web" }))).code).toBe("NotFound");
  });

  test("a Pod that runs terminates first and goes when its agent says so; one that nobody runs goes at once", async () => {
    await using stage = await startStage({ kind });
    const { pods } = stage.client();
    await pods.createPod({ pod: pod("waiting") });
    await pods.deletePod({ name: "waiting" });
    expect((await refusal(pods.getPod({ name: "waiting" }))).code).toBe("NotFound");
    await pods.createPod({ pod: pod("running", { spec: { nodeName: "node-1" } }) });
    await pods.deletePod({ name: "running", gracePeriodS: 60 });
    const { pod: ending } = await pods.getPod({ name: "running" });
    expect(ending?.metadata?.deletionTimestamp).toBeDefined();
    expect(ending?.spec?.terminationGracePeriodS).toBe(60);
    expect((await refusal(pods.deletePod({ name: "running", uid: "another", gracePeriodS: 0 }))).code).toBe("Aborted");
    await pods.deletePod({ name: "running", gracePeriodS: 0 });
    expect((await refusal(pods.getPod({ name: "running" }))).code).toBe("NotFound");
  });

  test("lists are by selector, in pages that are all as of one revision", async () => {
    await using stage = await startStage({ kind });
    const { pods } = stage.client();
    for (let index = 0; index < 7; index++)
      await pods.createPod({ pod: pod(`pod-${index}`, { labels: { app: index % 2 === 0 ? "even" : "odd" } }) });
    const first = await pods.listPods({ pageSize: 3 });
    await pods.createPod({ pod: pod("pod-3a") });
    await pods.deletePod({ name: "pod-5" });
    const second = await pods.listPods({ pageSize: 3, pageToken: first.nextPageToken });
    const third = await pods.listPods({ pageSize: 3, pageToken: second.nextPageToken });
    const names = [first, second, third].flatMap((page) => page.pods.map(({ metadata }) => metadata?.name));
    expect(names).toEqual(Array.from({ length: 7 }, (_, index) => `pod-${index}`));
    expect(third.nextPageToken).toBe("");
    expect(new Set([first, second, third].map((page) => page.resourceVersion)).size).toBe(1);
    const chosen = async (labelSelector: object) =>
      (await pods.listPods({ labelSelector })).pods.map(({ metadata }) => metadata?.name).join(" ");
    expect(await chosen({ matchLabels: { app: "odd" } })).toBe("pod-1 pod-3");
    const by = (operator: LabelOperator, values: string[]) => ({
      matchExpressions: [{ key: "app", operator, values }],
    });
    expect(await chosen(by(LabelOperator.IN, ["odd", "strange"]))).toBe("pod-1 pod-3");
    expect(await chosen(by(LabelOperator.NOT_IN, ["odd"]))).toBe("pod-0 pod-2 pod-3a pod-4 pod-6");
    expect(await chosen(by(LabelOperator.DOES_NOT_EXIST, []))).toBe("pod-3a");
    expect(await refusal(pods.listPods({ pageSize: 2, pageToken: first.nextPageToken, nodeName: "x" }))).toMatchObject({
      code: "InvalidArgument",
      fields: ["page_token"],
    });
  });

  test("100 Services created at once have 100 different cluster IPs, and give them back", async () => {
    await using stage = await startStage({ kind, serviceCidr: "10.96.0.0/25" });
    const { services } = stage.client();
    const names = Array.from({ length: 100 }, (_, index) => `web-${index}`);
    const answers = await Promise.all(names.map((name) => services.createService({ service: service(name) })));
    const ips = new Set(answers.map((answer) => answer.service?.spec?.clusterIp));
    expect(ips.size).toBe(100);
    for (const ip of ips) expect(ip).toMatch(/^10\.96\.0\.([1-9]|[1-9]\d|1[01]\d|12[0-6])$/);
    const rest = Array.from({ length: 26 }, (_, index) => `more-${index}`);
    await Promise.all(rest.map((name) => services.createService({ service: service(name) })));
    expect(await refusal(services.createService({ service: service("last") }))).toMatchObject({
      code: "ResourceExhausted",
      message: "cluster IP range 10.96.0.0/25 is exhausted: all 126 addresses are in use",
    });
    const freed = answers[0]?.service?.spec?.clusterIp;
    await services.deleteService({ name: "web-0" });
    expect((await services.createService({ service: service("last") })).service?.spec?.clusterIp).toBe(freed);
  });

  test("a cluster IP can be asked for, once; None is none; it cannot change", async () => {
    await using stage = await startStage({ kind });
    const { services } = stage.client();
    await services.createService({ service: service("web", { clusterIp: "10.96.5.5" }) });
    expect(await refusal(services.createService({ service: service("other", { clusterIp: "10.96.5.5" }) }))).toEqual({
      code: "InvalidArgument",
      message: "service.spec.cluster_ip 10.96.5.5 is in use by another Service",
      fields: ["service.spec.cluster_ip"],
    });
    expect(
      (await refusal(services.createService({ service: service("far", { clusterIp: "10.97.0.1" }) }))).fields,
    ).toEqual(["service.spec.cluster_ip"]);
    for (const name of ["one", "two"]) {
      const { service: headless } = await services.createService({ service: service(name, { clusterIp: "None" }) });
      expect(headless?.spec?.clusterIp).toBe("None");
    }
    const spec = { ports: [{ port: 80 }], clusterIp: "10.96.7.7" };
    expect((await refusal(services.updateService({ service: { metadata: { name: "web" }, spec } }))).fields).toEqual([
      "service.spec.cluster_ip",
    ]);
    const named = { metadata: { name: "named" }, spec: { type: ServiceType.EXTERNAL_NAME } };
    expect((await services.createService({ service: named })).service?.spec?.clusterIp).toBe("");
    const turned = { metadata: { name: "named" }, spec: { type: ServiceType.CLUSTER_IP, ports: [{ port: 80 }] } };
    expect((await services.updateService({ service: turned })).service?.spec?.clusterIp).toMatch(/^10\.96\./);
  });
});
