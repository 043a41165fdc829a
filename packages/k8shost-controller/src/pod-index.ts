import { selects } from "./endpoints.ts";
import { type Pod, type Service, tenantText } from "./objects.ts";

/** Pods by their labels, so that a thousand selectors over ten thousand Pods are not ten million comparisons. */
export class PodIndex {
  readonly #byLabel = new Map<string, Pod[]>();

  constructor(pods: readonly Pod[]) {
    for (const pod of pods) {
      for (const [key, value] of Object.entries(pod.meta.labels)) {
        const text = textOf(pod, key, value);
        const known = this.#byLabel.get(text);
        if (known === undefined) this.#byLabel.set(text, [pod]);
        else known.push(pod);
      }
    }
  }

  /** Those that the Service's selector matches: the fewest that have one of its labels, looked through for the others. */
  selectedBy(service: Service): readonly Pod[] {
    const lists = Object.entries(service.selector).map(
      ([key, value]) => this.#byLabel.get(textOf(service, key, value)) ?? [],
    );
    const [fewest = []] = lists.toSorted((a, b) => a.length - b.length);
    return fewest.filter((pod) => selects(service, pod));
  }
}

const textOf = ({ meta }: Pod | Service, key: string, value: string): string =>
  `${tenantText(meta)}/${meta.namespace} ${key}=${value}`;
