import type { PolicyUnit, RuleUnit } from "../../snapshot/snapshot.ts";
import { type Check, compileCheck } from "./matchers.ts";
import { isAmbiguousPath } from "./path.ts";
import { type Indexed, indexKeys, RouteIndex } from "./route-index.ts";
import {
  badRequest,
  type BadRequestRoute,
  compileOutcome,
  defaultRoute,
  type Outcome,
  type Route,
} from "./route-outcome.ts";
import type { RouteRequest } from "./route-request.ts";

/** What a router needs beside its policies. */
export interface RouterOptions {
  /** Where requests go that no policy takes. */
  readonly defaultPoolId?: string | undefined;
  /** OFF lets ambiguous paths pass although policies look at the path. Default ON. */
  readonly pathNormalization?: "ON" | "OFF";
}

/** A policy that can't be carried out and takes no request. The API refuses such; another release may have let it in. */
export interface RouteProblem {
  readonly policyId: string;
  /** For people: which policy and rule, and what is wrong. */
  readonly reason: string;
}

/**
 * Compiles a listener's policies. Of the policies whose rules all match, the first one takes the request.
 *
 * @param policies in order of their positions.
 */
export function compileRoutes(policies: readonly PolicyUnit[], options: RouterOptions = {}): Router {
  return new Router(policies, options);
}

/** A policy, ready to judge requests. */
interface CompiledPolicy extends Indexed {
  /** Of the rules that the index does not answer for, the cheap ones first; all must hold. */
  readonly checks: readonly Check[];
  readonly outcome: Outcome;
  readonly unjudged: BadRequestRoute;
}

const AMBIGUOUS_PATH = badRequest("ambiguous-path");

/** Decides what happens to requests. Made anew when the policies change. Not re-entrant, as requests are routed one by one. */
export class Router {
  /** Policies that were left out, with the reason; in the policies' order. */
  readonly problems: readonly RouteProblem[];
  readonly #index: RouteIndex<CompiledPolicy>;
  readonly #isEmpty: boolean;
  readonly #readsPath: boolean;
  readonly #refusesAmbiguousPaths: boolean;
  readonly #default: Route;
  // What the walk through the index has found so far, in fields so that a request costs no closure.
  #request: RouteRequest | undefined;
  #found: CompiledPolicy | undefined;
  #foundUnjudged = false;
  readonly #visit = (policy: CompiledPolicy): boolean => this.#consider(policy);

  /** See {@link compileRoutes}. */
  constructor(policies: readonly PolicyUnit[], { defaultPoolId, pathNormalization = "ON" }: RouterOptions) {
    const problems: RouteProblem[] = [];
    const compiled = policies
      .map((policy, position) => compilePolicy(policy, position, problems))
      .filter((policy) => policy !== undefined);
    this.problems = problems;
    this.#index = new RouteIndex(compiled);
    this.#isEmpty = compiled.length === 0;
    this.#default = defaultRoute(defaultPoolId);
    this.#readsPath = policies.some(hasPathRule);
    this.#refusesAmbiguousPaths = this.#readsPath && pathNormalization === "ON";
  }

  /** What happens to the request. Does not throw. */
  route(request: RouteRequest): Route {
    if (this.#isEmpty && !this.#refusesAmbiguousPaths) return this.#default;
    const path = this.#readsPath ? request.path : "";
    if (this.#refusesAmbiguousPaths && isAmbiguousPath(path)) return AMBIGUOUS_PATH;
    const policy = this.#firstMatch(request, path);
    if (policy === undefined) return this.#default;
    return this.#foundUnjudged ? policy.unjudged : policy.outcome(request);
  }

  #firstMatch(request: RouteRequest, path: string): CompiledPolicy | undefined {
    this.#request = request;
    this.#found = undefined;
    this.#index.visit({ request, path }, this.#visit);
    this.#request = undefined;
    return this.#found;
  }

  /** Lists come in order: once one is behind the best so far, the rest of its list is, too. */
  #consider(policy: CompiledPolicy): boolean {
    if (this.#found !== undefined && policy.position >= this.#found.position) return false;
    const verdict = judge(policy.checks, this.#request as RouteRequest);
    if (verdict === false) return true;
    this.#found = policy;
    this.#foundUnjudged = verdict === undefined;
    return false;
  }
}

/** A policy that only fails to be judged may be the one that the operator relies on: it takes the request, with 400. */
function judge(checks: readonly Check[], request: RouteRequest): boolean | undefined {
  let verdict: boolean | undefined = true;
  for (const check of checks) {
    const one = check(request);
    if (one === false) return false;
    if (one === undefined) verdict = undefined;
  }
  return verdict;
}

const hasPathRule = ({ rules }: PolicyUnit): boolean => rules.some(({ type }) => type === "PATH");

/** undefined when the policy takes no request: it has no rule, or one that does not compile. */
function compilePolicy(policy: PolicyUnit, position: number, problems: RouteProblem[]): CompiledPolicy | undefined {
  if (policy.rules.length === 0) return undefined;
  const report = (what: string): undefined => {
    problems.push({ policyId: policy.id, reason: `Cannot use L7 policy ${policy.name}: ${what}` });
  };
  const outcome = compileOutcome(policy);
  if (!outcome.ok) return report(`its redirect URL ${outcome.problem}`);
  const keys = indexKeys(policy.rules);
  const answered = [keys.host, keys.path, keys.value];
  const checks: Check[] = [];
  for (const rule of policy.rules.filter((one) => !answered.includes(one)).toSorted(byCost)) {
    const compiled = compileCheck(rule);
    if (!compiled.ok) return report(`the value of its ${rule.type} rule ${compiled.problem}`);
    checks.push(compiled.check);
  }
  const unjudged = badRequest("too-long-for-regex", policy.id);
  return { position, keys, checks, outcome: outcome.outcome, unjudged };
}

const byCost = (a: RuleUnit, b: RuleUnit): number => costOf(a) - costOf(b);

const costOf = ({ type, compareType }: RuleUnit): number => {
  if (compareType === "REGEX") return 3;
  return type === "HOST_NAME" || type === "PATH" || type === "METHOD" ? 1 : 2;
};
