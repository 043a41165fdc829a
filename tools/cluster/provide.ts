// Brings the programs that a lab needs to this machine, where that is allowed.
import { providePeerPrograms } from "../peer-programs.ts";
import { provideSystemPackages, systemPackages } from "../system-packages.ts";
import { whyNoNamespaces } from "./namespaces.ts";
import { missingPrograms } from "./programs.ts";

const NEEDED: readonly string[] = ["bird", "ip", "openssl", "curl"];

/** Why there can be no lab here now; empty when there can. Changes nothing. */
export function whyNoLab(): string {
  const why = whyNoNamespaces();
  if (why !== "") return why;
  const missing = missingPrograms();
  return missing.length === 0 ? "" : `not installed: ${missing.join(", ")}`;
}

/** Installs and downloads what is missing, and says so. @returns why there can be no lab; empty when there can */
export async function provideLab(say: (line: string) => void): Promise<string> {
  const why = whyNoNamespaces();
  if (why !== "") return why;
  if (missingPrograms().length > 0) {
    say(`fetching ${missingPrograms().join(", ")}`);
    const wanted = systemPackages.filter(({ program }) => NEEDED.includes(program));
    await provideSystemPackages({ install: true, wanted });
    await providePeerPrograms({ install: true });
  }
  return whyNoLab();
}
