import type { RuleUnit } from "../../snapshot/snapshot.ts";
import { canonicalHost, domainOf } from "../route/text-test.ts";
import { fileTypeOf } from "./path.ts";
import { PrefixTree } from "./route-prefix-tree.ts";
import { queryValues } from "./route-query.ts";
import type { RouteRequest } from "./route-request.ts";

/** Which rules of a policy the index answers for: what it finds need not be asked about them again. */
export interface IndexKeys {
  /** HOST_NAME EQUAL_TO. */
  readonly host: RuleUnit | undefined;
  /** PATH EQUAL_TO, or else STARTS_WITH. */
  readonly path: RuleUnit | undefined;
  /** EQUAL_TO of the other types. */
  readonly value: RuleUnit | undefined;
}

/** Chooses the rules that the index goes by. */
export function indexKeys(rules: readonly RuleUnit[]): IndexKeys {
  return {
    host: rules.find((rule) => isEquality(rule, "HOST_NAME")),
    path: rules.find((rule) => isEquality(rule, "PATH")) ?? rules.find(isPathPrefix),
    value: SOURCES.map((type) => rules.find((rule) => namesValue(rule, type))).find((found) => found !== undefined),
  };
}

const isEquality = (rule: RuleUnit, type: RuleUnit["type"]): boolean =>
  rule.type === type && rule.compareType === "EQUAL_TO" && !rule.invert;

const isPathPrefix = ({ type, compareType, invert }: RuleUnit): boolean =>
  type === "PATH" && compareType === "STARTS_WITH" && !invert;

/** What the index keeps: something with a place in the order and the rules that it is found by. */
export interface Indexed {
  readonly position: number;
  readonly keys: IndexKeys;
}

/** Called with entries in ascending order of position, list by list; false ends the list. */
export type Visit<T> = (entry: T) => boolean;

/** A request, with its path, which is asked for once. */
export interface Visited {
  readonly request: RouteRequest;
  /** Not looked at unless a policy has a PATH rule. */
  readonly path: string;
}

/**
 * Narrows the policies down to those whose plainest rules a request fulfils: by host (equal, or `*.` and the domain),
 * then path (equal, or a prefix), then one value of a header, cookie, query parameter, file type, SNI or method. Each
 * entry stands in one list, so that the cost grows with the policies that share all of this, not with their number.
 */
export class RouteIndex<T extends Indexed> {
  readonly #hosts = new Map<string, PathIndex<T>>();
  readonly #domains = new Map<string, PathIndex<T>>();
  readonly #anyHost = new PathIndex<T>();

  /** @param entries in ascending order of position. */
  constructor(entries: readonly T[]) {
    for (const entry of entries) this.#placeFor(entry).add(entry);
  }

  visit(visited: Visited, visit: Visit<T>): void {
    this.#anyHost.visit(visited, visit);
    if (this.#hosts.size === 0 && this.#domains.size === 0) return;
    const { host } = visited.request;
    this.#hosts.get(host)?.visit(visited, visit);
    const domain = this.#domains.size === 0 ? undefined : domainOf(host);
    if (domain !== undefined) this.#domains.get(domain)?.visit(visited, visit);
  }

  #placeFor({ keys }: T): PathIndex<T> {
    if (keys.host === undefined) return this.#anyHost;
    const host = canonicalHost(keys.host.value);
    return host.startsWith("*.")
      ? getOrAdd(this.#domains, host.slice(2), () => new PathIndex())
      : getOrAdd(this.#hosts, host, () => new PathIndex());
  }
}

class PathIndex<T extends Indexed> {
  // Made when needed: there may be one of these for each of thousands of hosts.
  #exact: Map<string, ValueIndex<T>> | undefined;
  #prefixes: PrefixTree<ValueIndex<T>> | undefined;
  readonly #anyPath = new ValueIndex<T>();

  add(entry: T): void {
    this.#placeFor(entry).add(entry);
  }

  visit(visited: Visited, visit: Visit<T>): void {
    const { request, path } = visited;
    this.#anyPath.visit(request, visit);
    this.#exact?.get(path)?.visit(request, visit);
    this.#prefixes?.visitPrefixesOf(path, (values) => values.visit(request, visit));
  }

  #placeFor({ keys: { path } }: T): ValueIndex<T> {
    if (path === undefined) return this.#anyPath;
    if (path.compareType === "EQUAL_TO") {
      return getOrAdd((this.#exact ??= new Map<string, ValueIndex<T>>()), path.value, () => new ValueIndex());
    }
    return (this.#prefixes ??= new PrefixTree()).getOrAdd(path.value, () => new ValueIndex());
  }
}

/** Part of a request that has values which rules name. */
interface Source<T> {
  readonly valuesOf: (request: RouteRequest) => readonly string[];
  readonly byValue: Map<string, T[]>;
}

/** The more values a part of a request usually has, the earlier it comes. */
const SOURCES = ["HEADER", "COOKIE", "QUERY", "SNI", "FILE_TYPE", "METHOD"] as const;
type SourceType = (typeof SOURCES)[number];

/** A wildcard names many. */
const namesValue = (rule: RuleUnit, type: SourceType): boolean =>
  isEquality(rule, type) && !(type === "SNI" && rule.value.startsWith("*."));

class ValueIndex<T extends Indexed> {
  /** By type and key. */
  #sources: Map<string, Source<T>> | undefined;
  readonly #rest: T[] = [];

  add(entry: T): void {
    const rule = entry.keys.value;
    if (rule === undefined) {
      this.#rest.push(entry);
      return;
    }
    const type = rule.type as SourceType;
    const key = type === "HEADER" ? (rule.key ?? "").toLowerCase() : (rule.key ?? "");
    const { byValue } = getOrAdd((this.#sources ??= new Map<string, Source<T>>()), `${type} ${key}`, () => ({
      valuesOf: valuesOf(type, key),
      byValue: new Map<string, T[]>(),
    }));
    getOrAdd(byValue, type === "SNI" ? canonicalHost(rule.value) : rule.value, () => []).push(entry);
  }

  visit(request: RouteRequest, visit: Visit<T>): void {
    visitList(this.#rest, visit);
    if (this.#sources === undefined) return;
    for (const { valuesOf: values, byValue } of this.#sources.values()) {
      for (const value of values(request)) visitList(byValue.get(value), visit);
    }
  }
}

function valuesOf(type: SourceType, key: string): (request: RouteRequest) => readonly string[] {
  switch (type) {
    case "HEADER":
      return (request) => request.header(key);
    case "COOKIE":
      return (request) => request.cookie(key);
    case "QUERY":
      return (request) => queryValues(request.query, key);
    case "SNI":
      return ({ sni }) => (sni === undefined ? [] : [sni]);
    case "FILE_TYPE":
      return ({ path }) => {
        const fileType = fileTypeOf(path);
        return fileType === undefined ? [] : [fileType];
      };
    case "METHOD":
      return ({ method }) => [method];
  }
}

function visitList<T>(list: readonly T[] | undefined, visit: Visit<T>): void {
  if (list === undefined) return;
  for (const entry of list) if (!visit(entry)) return;
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
