import type { PolicyUnit, RuleUnit } from "../../snapshot/snapshot.ts";
import { canonicalHost, compileTextTest, domainOf, type TextTest } from "../route/text-test.ts";
import { WeightedPools } from "../route/weighted-pools.ts";

/** What a policy does with a connection: the pools that it may go to, or nothing, which is a refusal. */
export interface SniRoute {
  readonly pools: WeightedPools | undefined;
}

type Check = (serverName: string | undefined) => boolean;

interface Entry extends SniRoute {
  readonly position: number;
  /** Of the rules that the index does not answer for; all must hold. */
  readonly checks: readonly Check[];
}

/**
 * Chooses by the server name of a TLS hello, as policies say: of those whose rules all match, the first one. A policy with
 * an exact name or a wildcard is found by it, so that the cost does not grow with their number. Made anew when they change.
 */
export class SniRouter {
  // Lists in ascending order of position.
  readonly #exact = new Map<string, Entry[]>();
  readonly #domains = new Map<string, Entry[]>();
  readonly #rest: Entry[] = [];

  /** @param policies in order of their positions; what cannot be compiled takes nothing, and is reported elsewhere. */
  constructor(policies: readonly PolicyUnit[]) {
    for (const [position, policy] of policies.entries()) this.#add(policy, position);
  }

  /**
   * The first policy that takes the connection; undefined when none does.
   * @param serverName in lower case, without trailing dot; undefined when the client shows none.
   */
  route(serverName: string | undefined): SniRoute | undefined {
    let found = firstMatch(this.#rest, serverName);
    if (serverName === undefined) return found;
    found = earlier(found, firstMatch(this.#exact.get(serverName), serverName));
    const domain = domainOf(serverName);
    return domain === undefined ? found : earlier(found, firstMatch(this.#domains.get(domain), serverName));
  }

  #add({ rules, action }: PolicyUnit, position: number): void {
    if (rules.length === 0) return;
    const key = rules.find(isName);
    const checks = rules.filter((rule) => rule !== key).map(compileRule);
    if (checks.includes(undefined)) return;
    const pools = action.type === "REDIRECT_TO_POOL" ? new WeightedPools(action.pools) : undefined;
    const entry: Entry = { position, pools, checks: checks as readonly Check[] };
    if (key === undefined) this.#rest.push(entry);
    else this.#listOf(canonicalHost(key.value)).push(entry);
  }

  #listOf(name: string): Entry[] {
    const isWildcard = name.startsWith("*.");
    const [lists, key] = isWildcard ? [this.#domains, name.slice(2)] : [this.#exact, name];
    const known = lists.get(key);
    if (known !== undefined) return known;
    const made: Entry[] = [];
    lists.set(key, made);
    return made;
  }
}

const isName = ({ type, compareType, invert }: RuleUnit): boolean =>
  type === "SNI" && compareType === "EQUAL_TO" && !invert;

/** undefined: the rule cannot be judged here. Names of at most 255 characters are never too long for an expression. */
function compileRule(rule: RuleUnit): Check | undefined {
  const compiled = rule.type === "SNI" ? compileTextTest(rule) : undefined;
  if (compiled?.ok !== true) return undefined;
  const { test } = compiled;
  const matches = (serverName: string | undefined): boolean => serverName !== undefined && holds(test, serverName);
  return rule.invert ? (serverName) => !matches(serverName) : matches;
}

const holds = (test: TextTest, text: string): boolean => test(text) === true;

function firstMatch(entries: readonly Entry[] | undefined, serverName: string | undefined): Entry | undefined {
  return entries?.find(({ checks }) => checks.every((check) => check(serverName)));
}

function earlier(a: Entry | undefined, b: Entry | undefined): Entry | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a.position < b.position ? a : b;
}
