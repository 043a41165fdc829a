import { parseIp } from "@fiberlb/types";

import type { RuleUnit } from "../../snapshot/snapshot.ts";
import { compileRegex } from "./regex.ts";

/** Whether a text fulfils a rule; undefined when it is too long for the rule's regular expression. */
export type TextTest = (text: string) => boolean | undefined;

/** A test, or why there is none: a clause that follows the field's name. */
export type TextTestResult =
  | { readonly ok: true; readonly test: TextTest }
  | { readonly ok: false; readonly problem: string };

/** What a rule asks of a text, without its inversion. Names of hosts and servers ignore case, and `*.` stands for one label. */
export function compileTextTest(rule: RuleUnit): TextTestResult {
  const isHost = rule.type === "HOST_NAME" || rule.type === "SNI";
  if (rule.compareType === "REGEX") {
    const compiled = compileRegex(rule.value, { ignoreCase: isHost });
    return compiled.ok ? { ok: true, test: (text) => compiled.value.test(text) } : compiled;
  }
  return { ok: true, test: compare(rule.compareType, isHost ? canonicalHost(rule.value) : rule.value, isHost) };
}

function compare(type: Exclude<RuleUnit["compareType"], "REGEX">, value: string, isHost: boolean): TextTest {
  switch (type) {
    case "EQUAL_TO":
      return isHost && value.startsWith("*.") ? (text) => domainOf(text) === value.slice(2) : (text) => text === value;
    case "STARTS_WITH":
      return (text) => text.startsWith(value);
    case "ENDS_WITH":
      return (text) => text.endsWith(value);
    case "CONTAINS":
      return (text) => text.includes(value);
  }
}

/** A rule's host as requests show theirs: lower case, no trailing dot, IPv6 in brackets. */
export function canonicalHost(value: string): string {
  const host = value.toLowerCase();
  if (!host.includes(":")) return host.length > 1 && host.endsWith(".") ? host.slice(0, -1) : host;
  const address = parseIp(host.replace(/^\[(.*)\]$/, "$1"));
  return address.ok ? `[${address.value}]` : host;
}

/** What follows the first label, which must not be empty: what `*.` stands before. undefined with a single label. */
export function domainOf(host: string): string | undefined {
  const dot = host.indexOf(".");
  return dot > 0 ? host.slice(dot + 1) : undefined;
}
