import { parseIp } from "./address.ts";
import { parseCidr } from "./cidr.ts";
import { parseDnsName } from "./host.ts";
import { HTTP_TOKEN } from "./http.ts";
import type { L7CompareType, L7RuleType, ParsedL7Rule } from "./l7-rule-spec.ts";
import type { Report, Rules } from "./resource.ts";
import { show } from "./result.ts";

/** Types whose compare types are fewer than all. */
const COMPARE_TYPES: Partial<Record<L7RuleType, readonly L7CompareType[]>> = {
  FILE_TYPE: ["EQUAL_TO", "REGEX"],
  METHOD: ["EQUAL_TO", "REGEX"],
  SOURCE_IP: ["EQUAL_TO"],
  SSL_CONN_HAS_CERT: ["EQUAL_TO"],
};

/** Types that look into a set of named things, with what the name must be. */
const KEYS: Partial<Record<L7RuleType, { readonly pattern: RegExp; readonly expected: string }>> = {
  HEADER: { pattern: HTTP_TOKEN, expected: "a header name" },
  COOKIE: { pattern: HTTP_TOKEN, expected: "a cookie name" },
  QUERY: { pattern: /^[^\s&=#]+$/, expected: "a query parameter's name" },
  SSL_DN_FIELD: { pattern: /^[A-Za-z][A-Za-z0-9.-]*$/, expected: "a distinguished name's field such as CN or OU" },
};

/** Rules between the fields of an L7 rule. */
export const l7RuleRules: Rules<ParsedL7Rule> = (rule, report) => {
  const { type, compareType } = rule;
  if (type === undefined) return;
  const allowed = COMPARE_TYPES[type];
  if (compareType !== undefined && allowed !== undefined && !allowed.includes(compareType)) {
    report("compareType", `must be ${allowed.join(" or ")} with type ${type}, not ${compareType}`);
  }
  checkKey(type, rule.key, report);
  if (rule.value !== undefined) checkValue({ type, compareType, value: rule.value }, report);
  else if (type !== "SSL_CONN_HAS_CERT") report("value", "is required", "REQUIRED");
};

function checkKey(type: L7RuleType, key: string | undefined, report: Report): void {
  const rule = KEYS[type];
  if (rule === undefined) {
    if (key !== undefined) report("key", `can only be used with ${Object.keys(KEYS).join(", ")}, not with ${type}`);
  } else if (key === undefined) {
    report("key", `is required with type ${type}: ${rule.expected}`, "REQUIRED");
  } else if (!rule.pattern.test(key)) {
    report("key", `must be ${rule.expected}, not ${show(key)}`, "INVALID_FORMAT");
  }
}

interface Comparison {
  readonly type: L7RuleType;
  readonly compareType: L7CompareType | undefined;
  readonly value: string;
}

function checkValue({ type, compareType, value }: Comparison, report: Report): void {
  const expected = compareType === "REGEX" ? undefined : expectation({ type, compareType, value });
  if (expected !== undefined) report("value", `must be ${expected}, not ${show(value)}`, "INVALID_FORMAT");
}

/** What the value should be when it is not that; undefined when it is right. */
function expectation({ type, compareType, value }: Comparison): string | undefined {
  switch (type) {
    case "SOURCE_IP":
      return parseIp(value).ok || parseCidr(value).ok ? undefined : "an address, or a network such as 10.0.0.0/8";
    case "SSL_CONN_HAS_CERT":
      return /^(true|false)$/i.test(value) ? undefined : "true or false";
    case "METHOD":
      return HTTP_TOKEN.test(value) ? undefined : "a method such as GET";
    case "FILE_TYPE":
      return /^[^./?#\s]+$/.test(value) ? undefined : 'a file name extension without the dot, such as "png"';
    case "PATH":
      return pathExpectation(compareType, value);
    case "HOST_NAME":
    case "SNI":
      return compareType === "EQUAL_TO" && !isHostPattern(value)
        ? 'a host name without port, or "*." and one'
        : undefined;
    default:
      return undefined;
  }
}

/** Paths are compared as sent and without query, so that a value with "?" could never match. */
function pathExpectation(compareType: L7CompareType | undefined, value: string): string | undefined {
  if (/[\s?#]/.test(value)) return 'a path without spaces, "?" and "#"';
  const anchored = compareType === "EQUAL_TO" || compareType === "STARTS_WITH";
  return anchored && !/^[/*]/.test(value) ? 'a path that begins with "/"' : undefined;
}

const isHostPattern = (value: string): boolean =>
  parseDnsName(value.replace(/^\*\./, "")).ok || parseIp(value.replace(/^\[(.*)\]$/, "$1")).ok;
