import { describe } from "@jest/globals";

import { gobgpReleases, whyNoGobgpd } from "../lab/gobgpd.ts";
import { speakerContract } from "../speaker.contract.ts";

for (const release of gobgpReleases) {
  const why = whyNoGobgpd(release);
  (why ? describe.skip : describe)(`GoBGP ${release.version}${why ? ` (skipped: ${why})` : ""}`, () => {
    speakerContract(release);
  });
}
