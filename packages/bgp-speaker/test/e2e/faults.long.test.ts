import { gobgp310, gobgp336, gobgp4, whyNoGobgpd } from "../lab/gobgpd.ts";
import { whyNoLab } from "../lab/router-lab.ts";
import { describeUnless } from "../release.contract.ts";
import { routerContract } from "../router.contract.ts";

for (const release of [gobgp310, gobgp336, gobgp4]) {
  describeUnless(whyNoGobgpd(release) || whyNoLab(), `GoBGP ${release.version} with a router, at length`, () => {
    routerContract(release, { long: true });
  });
}
