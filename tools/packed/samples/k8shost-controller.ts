// Until the controller itself arrives, the package holds types only.
import type { ObjectKey, ServiceSource } from "@fiberlb/k8shost-controller";

const written: string[] = [];

const source: Pick<ServiceSource, "setIngressIps"> = {
  setIngressIps: (key: ObjectKey, ingressIps: readonly string[]) => {
    written.push(`${key.namespace}/${key.name} ${ingressIps.join(" ")}`);
    return Promise.resolve();
  },
};

await source.setIngressIps({ namespace: "default", name: "web" }, ["203.0.113.1"]);
if (written[0] !== "default/web 203.0.113.1") throw new Error(`wrote ${written[0]}`);
