import { createFiberlbClient } from "@fiberlb/api";
import { createController, type Service, type ServiceSource } from "@fiberlb/k8shost-controller";

const services: readonly Service[] = [];
const source: ServiceSource = {
  listServices: () => Promise.resolve(services),
  getService: () => Promise.resolve(undefined),
  listPods: () => Promise.resolve([]),
  async *watch() {},
  writeStatus: () => Promise.resolve(),
  writeFinalizers: () => Promise.resolve(),
};

const fiberlb = createFiberlbClient({ baseUrl: "http://127.0.0.1:9080" });
const { due } = await createController({ source, fiberlb }).reconcileAll();
fiberlb.close();
if (due.length !== 0) throw new Error(`${due.length} Services are due where there is none`);
