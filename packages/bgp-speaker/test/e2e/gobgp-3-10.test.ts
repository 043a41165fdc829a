import { gobgp310 } from "../lab/gobgpd.ts";
import { describeRelease } from "../release.contract.ts";

describeRelease(gobgp310);
