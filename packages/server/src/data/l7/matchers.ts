import { parseIp, unmapIpv4 } from "@fiberlb/types";

import type { RuleUnit } from "../../snapshot/snapshot.ts";
import { AllowedCidrs } from "../l4/allowed-cidrs.ts";
import { compileTextTest, type TextTest } from "../route/text-test.ts";
import { fileTypeOf } from "./path.ts";
import { queryValues } from "./route-query.ts";
import type { RouteRequest } from "./route-request.ts";

/** Whether a request fulfils a rule; undefined when its text is too long for the rule's regular expression. */
export type Check = (request: RouteRequest) => boolean | undefined;

/** A rule as a function, or why it is none. */
export type CheckResult =
  | { readonly ok: true; readonly check: Check }
  | { readonly ok: false; readonly problem: string };

/** Compiles one rule, with its inversion. A rule of the API always compiles; one of another release may not. */
export function compileCheck(rule: RuleUnit): CheckResult {
  const compiled = compilePlain(rule);
  if (!compiled.ok || !rule.invert) return compiled;
  const { check } = compiled;
  const inverted: Check = (request) => {
    const verdict = check(request);
    return verdict === undefined ? undefined : !verdict;
  };
  return { ok: true, check: inverted };
}

function compilePlain(rule: RuleUnit): CheckResult {
  const { type, value } = rule;
  if (type === "SOURCE_IP") return compileSourceIp(value);
  if (type === "SSL_CONN_HAS_CERT") {
    const wanted = value.toLowerCase() === "true";
    return { ok: true, check: (request) => (request.clientCertificate !== undefined) === wanted };
  }
  const compiled = compileTextTest(rule);
  return compiled.ok ? { ok: true, check: checkOf({ ...rule, type }, compiled.test) } : compiled;
}

type TextRule = RuleUnit & { readonly type: Exclude<RuleUnit["type"], "SOURCE_IP" | "SSL_CONN_HAS_CERT"> };

/** Takes the text, or the texts, that a rule is about out of the request. */
function checkOf({ type, key = "" }: TextRule, test: TextTest): Check {
  switch (type) {
    case "HOST_NAME":
      return (request) => test(request.host);
    case "PATH":
      return (request) => test(request.path);
    case "METHOD":
      return (request) => test(request.method);
    case "FILE_TYPE":
      return (request) => testIfAny(fileTypeOf(request.path), test);
    case "SNI":
      return (request) => testIfAny(request.sni, test);
    case "QUERY":
      return (request) => testEach(queryValues(request.query, key), test);
    case "HEADER": {
      const name = key.toLowerCase();
      return (request) => testEach(request.header(name), test);
    }
    case "COOKIE":
      return (request) => testEach(request.cookie(key), test);
    case "SSL_DN_FIELD":
      return (request) => testEach(subjectValues(request, key), test);
  }
}

const testIfAny = (text: string | undefined, test: TextTest): boolean | undefined =>
  text === undefined ? false : test(text);

/** One value that matches is enough, whatever the others. */
function testEach(texts: readonly string[], test: TextTest): boolean | undefined {
  let verdict: boolean | undefined = false;
  for (const text of texts) {
    const one = test(text);
    if (one === true) return true;
    if (one === undefined) verdict = undefined;
  }
  return verdict;
}

/** Attribute types ignore case (RFC 4514 §2.3). */
function subjectValues({ clientCertificate }: RouteRequest, field: string): readonly string[] {
  const wanted = field.toLowerCase();
  return Object.entries(clientCertificate?.subject ?? {}).flatMap(([name, value]) =>
    name.toLowerCase() === wanted ? value : [],
  );
}

function compileSourceIp(value: string): CheckResult {
  const [address = "", length] = value.split("/");
  const ip = parseIp(address);
  if (!ip.ok) return { ok: false, problem: `must be an address or a network, not ${JSON.stringify(value)}` };
  const plain = unmapIpv4(ip.value);
  const cidrs = new AllowedCidrs([`${plain}/${length ?? (plain.includes(":") ? 128 : 32)}`]);
  return { ok: true, check: ({ sourceAddress }) => cidrs.includes(sourceAddress) };
}
