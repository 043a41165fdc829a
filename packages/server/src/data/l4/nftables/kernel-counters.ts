import type { NftablesDriver } from "./driver.ts";
import type { DsrForwarder } from "./dsr-forwarder.ts";
import type { ListedElement } from "./nft.ts";

/** What both tables have counted, as if they were one. */
export class KernelCounters {
  readonly #inet: Pick<NftablesDriver, "elements" | "isLoaded">;
  readonly #dsr: Pick<DsrForwarder, "counted" | "isLoaded">;

  constructor(inet: Pick<NftablesDriver, "elements" | "isLoaded">, dsr: Pick<DsrForwarder, "counted" | "isLoaded">) {
    this.#inet = inet;
    this.#dsr = dsr;
  }

  /** Whether there is anything to read. */
  get isLoaded(): boolean {
    return this.#inet.isLoaded || this.#dsr.isLoaded;
  }

  /** What is in a set of that name now; the counts of a pool that changed its forwarding are added up. @throws NftError */
  async elements(kind: "set" | "map", name: string): Promise<ListedElement[]> {
    const translated = this.#inet.isLoaded ? await this.#inet.elements(kind, name) : [];
    const sent = this.#dsr.isLoaded ? await this.#dsr.counted(name) : [];
    if (sent.length === 0) return translated;
    const byKey = new Map(translated.map((element) => [element.key, element]));
    for (const element of sent) {
      const { packets = 0, bytes = 0 } = byKey.get(element.key) ?? {};
      byKey.set(element.key, { ...element, packets: element.packets + packets, bytes: element.bytes + bytes });
    }
    return [...byKey.values()];
  }
}
