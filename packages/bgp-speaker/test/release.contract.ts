import { describe, jest } from "@jest/globals";

import { type GobgpRelease, whyNoGobgpd } from "./lab/gobgpd.ts";
import { whyNoLab } from "./lab/router-lab.ts";
import { routerContract } from "./router.contract.ts";
import { speakerContract } from "./speaker.contract.ts";

// Real daemons, on a machine that may be busy.
jest.setTimeout(60_000);

/** Everything that needs a daemon of this release. */
export function describeRelease(release: GobgpRelease): void {
  const name = `GoBGP ${release.version}`;
  describeUnless(whyNoGobgpd(release), name, () => speakerContract(release));
  describeUnless(whyNoGobgpd(release) || whyNoLab(), `${name} with a router`, () => routerContract(release));
}

/** Skips with the reason in the name. */
export function describeUnless(why: string, name: string, suite: () => void): void {
  (why ? describe.skip : describe)(why ? `${name} (skipped: ${why})` : name, suite);
}
