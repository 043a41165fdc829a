import { expect, it } from "@jest/globals";

import { parseLocalPorts, parseOpenFiles, readHostLimits } from "../../src/data/host-limits.ts";

const limits = (openFiles: string): string =>
  `Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max processes             96146                96146                processes 
Max open files            ${openFiles.padEnd(20)} 1048576              files     
Max locked memory         8388608              8388608              bytes     
`;

it("reads the soft limit on open files", () => {
  expect(parseOpenFiles(limits("20000"))).toBe(20_000);
  expect(parseOpenFiles(limits("unlimited"))).toBe(Number.MAX_SAFE_INTEGER);
  expect(parseOpenFiles("")).toBeUndefined();
});

it("counts local ports", () => {
  expect(parseLocalPorts("32768\t60999\n")).toBe(28_232);
  expect(parseLocalPorts("")).toBeUndefined();
});

it("finds both on Linux", () => {
  const { openFiles = 0, localPorts = 0 } = readHostLimits();
  expect(openFiles > 0 && localPorts > 0).toBe(process.platform === "linux");
});
