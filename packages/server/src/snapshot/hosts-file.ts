import { isIP } from "node:net";

/**
 * The addresses that a hosts file (hosts(5)) gives a name, in the order of the file.
 *
 * @param name in lower case, without a trailing dot.
 */
export function addressesInHosts(text: string, name: string): string[] {
  return text.split("\n").flatMap((line) => {
    const [address = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    return isIP(address) !== 0 && names.some((one) => one.toLowerCase() === name) ? [address] : [];
  });
}
