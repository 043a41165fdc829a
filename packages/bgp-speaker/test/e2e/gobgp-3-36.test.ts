import { gobgp336 } from "../lab/gobgpd.ts";
import { describeRelease } from "../release.contract.ts";

describeRelease(gobgp336);
