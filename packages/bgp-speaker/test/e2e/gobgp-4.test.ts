import { gobgp4 } from "../lab/gobgpd.ts";
import { describeRelease } from "../release.contract.ts";

describeRelease(gobgp4);
