import type { z } from "zod";

import * as field from "./fields.ts";
import type { L7PolicyId } from "./ids.ts";
import { commonSpec } from "./resource.ts";

/** Which part of a request a rule looks at. */
export const l7RuleTypes = [
  "HOST_NAME",
  "PATH",
  "FILE_TYPE",
  "METHOD",
  "QUERY",
  "HEADER",
  "COOKIE",
  "SOURCE_IP",
  "SNI",
  "SSL_CONN_HAS_CERT",
  "SSL_DN_FIELD",
] as const;
/** Values of the API's `L7RuleType`. */
export type L7RuleType = (typeof l7RuleTypes)[number];
/** How a rule compares. */
export const l7CompareTypes = ["EQUAL_TO", "STARTS_WITH", "ENDS_WITH", "CONTAINS", "REGEX"] as const;
/** Values of the API's `L7CompareType`. */
export type L7CompareType = (typeof l7CompareTypes)[number];

/** What `CreateL7Rule` takes. Whether a REGEX compiles is the server's to say, which has the engine. */
export const l7RuleSpec = field.message({
  ...commonSpec,
  l7PolicyId: field.id<L7PolicyId>(),
  type: field.choice("L7_RULE_TYPE", l7RuleTypes),
  compareType: field.choice("L7_COMPARE_TYPE", l7CompareTypes),
  /** Header, cookie, query parameter or DN field. */
  key: field.text({ max: 255, pattern: /^[^\p{Cc}]+$/u, expected: "text of one line" }).optional(),
  value: field
    .text({ max: 1024, pattern: /^[^\p{Cc}]+$/u, expected: "text of one line, without CR and LF" })
    .optional(),
  invert: field.flag().default(false),
});

/** An L7 rule before the defaults that depend on other fields. */
export type ParsedL7Rule = z.output<typeof l7RuleSpec>;
/** An L7 rule as a client wants it, defaults filled. */
export type L7RuleSpec = ParsedL7Rule & { value: string };
