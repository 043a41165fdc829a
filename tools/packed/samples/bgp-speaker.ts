// Until the speaker itself arrives, the package holds types only.
import type { AnnounceReport, Route, Speaker } from "@fiberlb/bgp-speaker";

class RecordingSpeaker implements Speaker {
  #announced: readonly Route[] = [];

  announce(routes: readonly Route[]): Promise<AnnounceReport> {
    const report = { added: routes, withdrawn: this.#announced, unchanged: 0 };
    this.#announced = routes;
    return Promise.resolve(report);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

const { added } = await new RecordingSpeaker().announce([]);
if (added.length !== 0) throw new Error("announced what nobody asked for");
