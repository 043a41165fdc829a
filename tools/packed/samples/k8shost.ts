import { createK8shost, hashToken } from "@fiberlb/k8shost";
import { createMemoryStore } from "@fiberlb/store";

const store = createMemoryStore();
const host = createK8shost({ store });
await host.start();
const ports = [{ port: 80 }];
const { service } = await host.client.services.createService({
  service: { metadata: { name: "web" }, spec: { ports } },
});
console.log(service?.spec?.clusterIp, hashToken("secret").length);
await host.stop();
await store.close();
