import { nearestName } from "@fiberlb/types";
import { parse } from "yaml";

/** Where one of the two servers is, and how to speak with it. */
export interface ServerSettings {
  readonly server: string;
  /** Read before each call, so that it can be replaced. */
  readonly tokenFile?: string;
  /** Authorities that its certificate must come from; the system's when absent. */
  readonly caFile?: string;
}

/** Configuration of `fiberlb controller`. */
export interface ControllerConfig {
  readonly fiberlb: ServerSettings;
  readonly k8shost: ServerSettings;
  readonly clusterName?: string;
  readonly loadBalancerClass?: string;
  readonly resyncIntervalMs?: number;
  readonly concurrency?: number;
  /** `host:port` of metrics and health. */
  readonly adminListen: string;
}

/** What flags and environment say; they win over the file. */
export interface GivenSettings {
  readonly server: string | undefined;
  readonly k8shost: string | undefined;
  readonly clusterName: string | undefined;
  readonly adminListen: string | undefined;
}

const DEFAULT_SERVER = "http://127.0.0.1:9080";
const DEFAULT_ADMIN = "127.0.0.1:9082";

type Kind = "text" | "number" | { readonly [Key: string]: Kind };

const SERVER = { server: "text", tokenFile: "text", caFile: "text" } as const;

const SHAPE: Readonly<Record<string, Kind>> = {
  fiberlb: SERVER,
  k8shost: SERVER,
  clusterName: "text",
  loadBalancerClass: "text",
  resyncIntervalMs: "number",
  concurrency: "number",
  admin: { listen: "text" },
};

/** The configuration, or everything that is wrong with it, a line each. Pure. */
export function parseControllerConfig(
  file: { readonly name: string; readonly text: string } | undefined,
  given: GivenSettings,
): { readonly config: ControllerConfig } | { readonly problems: readonly string[] } {
  const problems: string[] = [];
  const raw = file === undefined ? {} : readFile(file, problems);
  const { fiberlb, k8shost, admin, ...rest } = raw as {
    fiberlb?: Partial<ServerSettings>;
    k8shost?: Partial<ServerSettings>;
    admin?: { listen?: string };
  } & Partial<ControllerConfig>;
  const host = given.k8shost ?? k8shost?.server;
  if (host === undefined)
    problems.push("k8shost.server is required: where k8shost is, such as --k8shost http://127.0.0.1:6443");
  if (problems.length > 0 || host === undefined) return { problems };
  return {
    config: {
      ...rest,
      ...(given.clusterName !== undefined && { clusterName: given.clusterName }),
      fiberlb: { ...fiberlb, server: given.server ?? fiberlb?.server ?? DEFAULT_SERVER },
      k8shost: { ...k8shost, server: host },
      adminListen: given.adminListen ?? admin?.listen ?? DEFAULT_ADMIN,
    },
  };
}

function readFile({ name, text }: { readonly name: string; readonly text: string }, problems: string[]): object {
  let raw: unknown;
  try {
    raw = parse(text) ?? {};
  } catch (error) {
    problems.push(`${name}: ${(error as Error).message.split("\n")[0]}`);
    return {};
  }
  check(raw, SHAPE, { path: "", problems });
  return problems.length > 0 ? {} : (raw as object);
}

function check(value: unknown, kind: Kind, at: { readonly path: string; readonly problems: string[] }): void {
  const { path, problems } = at;
  const label = path === "" ? "the file" : path;
  if (kind === "text") {
    if (typeof value !== "string" || value === "") problems.push(`${label} must be a text`);
  } else if (kind === "number") {
    if (!Number.isInteger(value) || Number(value) < 1) problems.push(`${label} must be a whole number from 1`);
  } else if (typeof value !== "object" || value === null || Array.isArray(value)) {
    problems.push(`${label} must be a map`);
  } else {
    checkKeys(value, kind, at);
  }
}

function checkKeys(
  value: object,
  kind: Readonly<Record<string, Kind>>,
  { path, problems }: { readonly path: string; readonly problems: string[] },
): void {
  for (const [key, each] of Object.entries(value)) {
    const inner = path === "" ? key : `${path}.${key}`;
    const known = Object.hasOwn(kind, key) ? kind[key] : undefined;
    const near = nearestName(key, Object.keys(kind));
    if (known !== undefined) check(each, known, { path: inner, problems });
    else problems.push(`${inner} is not known${near === undefined ? "" : `; did you mean ${near}?`}`);
  }
}
