import { cidrContains, type Cidr, type IpAddress } from "@fiberlb/types";

import type { RouteRequest } from "../../../src/data/l7/route-request.ts";
import type { PolicyUnit, RuleUnit } from "../../../src/snapshot/snapshot.ts";

/**
 * The rules of matching in their plainest form: policies one after the other, V8's own regular expressions, the
 * platform's own query parser. Says the name of the first policy that matches.
 */
export function firstMatch(policies: readonly PolicyUnit[], request: RouteRequest): string | undefined {
  return policies.find(({ rules }) => rules.length > 0 && rules.every((rule) => matches(rule, request)))?.name;
}

const matches = (rule: RuleUnit, request: RouteRequest): boolean =>
  texts(rule, request).some((text) => compare(rule, text)) !== rule.invert;

function texts({ type, key = "" }: RuleUnit, request: RouteRequest): readonly string[] {
  switch (type) {
    case "HOST_NAME":
      return [request.host];
    case "PATH":
      return [request.path];
    case "FILE_TYPE":
      return (/\.([^./]*)$/.exec(request.path) ?? []).slice(1);
    case "METHOD":
      return [request.method];
    case "QUERY":
      return new URLSearchParams(request.query).getAll(key);
    case "HEADER":
      return request.header(key.toLowerCase());
    case "COOKIE":
      return request
        .header("cookie")
        .flatMap((line) => line.split(";"))
        .flatMap((pair) =>
          pair.trim().startsWith(`${key}=`)
            ? [
                pair
                  .trim()
                  .slice(key.length + 1)
                  .trim(),
              ]
            : [],
        );
    case "SOURCE_IP":
      return [request.sourceAddress];
    case "SNI":
      return request.sni === undefined ? [] : [request.sni];
    case "SSL_CONN_HAS_CERT":
      return [String(request.clientCertificate !== undefined)];
    case "SSL_DN_FIELD":
      return [request.clientCertificate?.subject[key] ?? []].flat();
  }
}

function compare({ type, compareType, value }: RuleUnit, text: string): boolean {
  if (type === "SOURCE_IP") return cidrContains(value as Cidr, text as IpAddress);
  switch (compareType) {
    case "EQUAL_TO": {
      const isWildcard = (type === "HOST_NAME" || type === "SNI") && value.startsWith("*.");
      return isWildcard ? text.replace(/^[^.]+\./, "*.") === value : text === value;
    }
    case "STARTS_WITH":
      return text.startsWith(value);
    case "ENDS_WITH":
      return text.endsWith(value);
    case "CONTAINS":
      return text.includes(value);
    case "REGEX":
      return new RegExp(value, "u").test(text);
  }
}
