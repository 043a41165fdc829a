import type { z } from "zod";

import * as field from "./fields.ts";
import { HEADER_VALUE, HTTP_TOKEN, parseRedirectUrl } from "./http.ts";
import type { ListenerId, PoolId } from "./ids.ts";
import { commonSpec } from "./resource.ts";

/** What a policy does with a request that its rules match. */
export const l7PolicyActions = [
  "REDIRECT_TO_POOL",
  "REDIRECT_TO_URL",
  "REDIRECT_PREFIX",
  "REJECT",
  "FIXED_RESPONSE",
] as const;
/** Values of the API's `L7PolicyAction`. */
export type L7PolicyAction = (typeof l7PolicyActions)[number];

const headerValue = () =>
  field.text({ max: 4096, pattern: HEADER_VALUE, expected: "a header value without control characters" });
const headers = () =>
  field.stringMap({
    maxEntries: 64,
    value: headerValue(),
    key: HTTP_TOKEN,
    expectedKey: "a header name (RFC 9110 token)",
  });

const weightedPool = field.message({ poolId: field.id<PoolId>(), weight: field.integer({ max: 256 }).default(1) });
/** One of several pools that share requests by weight, 0 to 256. */
export type WeightedPool = z.output<typeof weightedPool>;

/** What FIXED_RESPONSE answers; by default an empty 200. */
export const fixedResponse = field.message({
  code: field.integer({ min: 200, max: 599 }).default(200),
  contentType: field
    .text({
      max: 255,
      pattern: /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(\s*;[\x20-\x7e]*)?$/,
      expected: "a media type such as text/html",
    })
    .default("text/plain; charset=utf-8"),
  body: field.text({ max: 16_384 }).default(""),
});
/** What FIXED_RESPONSE answers. */
export type FixedResponse = z.output<typeof fixedResponse>;

const rewrite = field.message({
  host: field
    .text({ max: 259, pattern: /^[A-Za-z0-9._:[\]-]+$/, expected: "a host name, with a port if need be" })
    .optional(),
  pathPrefix: field
    .text({ max: 2048, pattern: /^\/[^\s?#]*$/, expected: 'a path that begins with "/", without spaces, "?" and "#"' })
    .optional(),
});
/** What changes in a request on its way to the backend. */
export type Rewrite = z.output<typeof rewrite>;

const redirectTarget = () => field.parsedText("an absolute http or https URL", parseRedirectUrl).optional();

/** What `CreateL7Policy` takes. */
export const l7PolicySpec = field.message({
  ...commonSpec,
  listenerId: field.id<ListenerId>(),
  /** From 1, lower first; 0 = at the end. */
  position: field.integer({ max: 1_000_000 }).default(0),
  action: field.choice("L7_POLICY_ACTION", l7PolicyActions),
  redirectPoolId: field.id<PoolId>().optional(),
  /** Instead of redirectPoolId. */
  pools: field.list(weightedPool).default([]),
  redirectUrl: redirectTarget(),
  /** The request's path and query are appended. */
  redirectPrefix: redirectTarget(),
  redirectHttpCode: field.integer({ min: 301, max: 308 }).default(302),
  fixedResponse: fixedResponse.optional(),
  rewrite: rewrite.optional(),
  /** An empty value removes the header. */
  setRequestHeaders: headers().default({}),
  /** An empty value removes the header. */
  setResponseHeaders: headers().default({}),
});

/** An L7 policy as a client wants it, defaults filled. */
export type L7PolicySpec = z.output<typeof l7PolicySpec>;
