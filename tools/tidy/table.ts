// What the laws allow, in one place. ARCHITECTURE.md explains the packages and folders; an entry of an allow list needs
// a reason that a reviewer would accept.

/** Packages of ours that a package may import, by folder name. */
export const packageImports: Readonly<Record<string, readonly string[]>> = {
  types: [],
  maglev: [],
  store: [],
  api: ["types"],
  "bgp-speaker": ["types"],
  server: ["types", "api", "store", "maglev", "bgp-speaker"],
  "k8shost-controller": ["types", "api"],
  k8shost: ["types", "api", "store", "k8shost-controller"],
  cli: ["types", "api"],
  fiberlb: ["types", "maglev", "store", "api", "bgp-speaker", "server", "k8shost-controller", "k8shost", "cli"],
};

/** Packages that import no built-in module of Node, so that they also run in a browser. */
export const purePackages: readonly string[] = ["maglev", "types"];

/** Oldest Node that a package supports; the others need 26 for node:sqlite, reusePort and type stripping. */
export const node22Packages: readonly string[] = ["types", "maglev", "api", "bgp-speaker", "k8shost-controller", "cli"];

/** Files below `files` may import, of the same package, only files matched by `may`. */
export interface FolderRule {
  files: RegExp;
  may: RegExp;
  /** Packages of ours that they may import; absent = what the package may. */
  packages?: readonly string[];
  instead: string;
}

const server = "packages/server/src";

export const folderRules: readonly FolderRule[] = [
  {
    files: new RegExp(`^${server}/data/`),
    may: new RegExp(`^${server}/(data/|snapshot/snapshot\\.ts$|clock\\.ts$|random\\.ts$|metrics(/|\\.ts$))`),
    packages: ["@fiberlb/types", "@fiberlb/maglev"],
    instead: "the data path reads units (snapshot/snapshot.ts) only: put what it needs into the unit or pass it in",
  },
];

/** Files below `files` never import these modules, whatever the names. */
export interface ModuleRule {
  files: RegExp;
  not: RegExp;
  /** Types only are harmless. */
  exceptTypes?: boolean;
  instead: string;
}

export const moduleRules: readonly ModuleRule[] = [
  {
    files: new RegExp(`^${server}/data/l[47]/`),
    not: /^node:(net|tls|stream|stream\/.*|dgram|http|https)$/,
    instead: "sockets come through data/transport/transport.ts, so that another engine carries the same code",
  },
  {
    files: new RegExp(`^${server}/data/l[47]/`),
    not: /\/transport\/(?!(?:transport|datagram)\.ts$)/,
    instead: "import data/transport/transport.ts or datagram.ts: which engine carries a connection is not known here",
  },
];

/** Files whose result depends on their arguments only: no I/O, no clock, no chance, themselves or by what they import. */
export const pureFiles: readonly RegExp[] = [
  /^packages\/maglev\/src\//,
  new RegExp(`^${server}/snapshot/(snapshot|compile)\\.ts$`),
  new RegExp(`^${server}/health/health\\.ts$`),
  new RegExp(`^${server}/vip/allocator\\.ts$`),
  new RegExp(`^${server}/announce/(ability|decide|damping|bgp/route-set)\\.ts$`),
  new RegExp(`^${server}/data/select/`),
  new RegExp(`^${server}/data/l7/(router|http1-head)\\.ts$`),
  /^packages\/bgp-speaker\/src\/(routes\/|backoff\.ts$)/,
  /^packages\/bgp-speaker\/src\/peers\/(check-managed|diff|peer-statuses|stuck-peers)\.ts$/,
  /^packages\/bgp-speaker\/src\/gobgp\/(peer|read-path|ownership|target|v[34]\/(path|peer))\.ts$/,
  new RegExp(`^${server}/announce/l2/(decide|rendezvous|tenure|packets|ip-batch)\\.ts$`),
  new RegExp(`^${server}/data/l4/nftables/(ruleset|diff|observed|eligibility|assignment|traffic)\\.ts$`),
];

/** Built-in modules that only compute. */
export const computingBuiltins: readonly string[] = ["node:buffer", "node:crypto", "node:util", "node:url"];

/** File and folder names that say nothing about what is inside. */
export const bannedNames: readonly string[] = [
  "utils",
  "util",
  "helpers",
  "helper",
  "common",
  "misc",
  "manager",
  "base",
];

/** Files that may use time and chance directly; everything else takes a Clock or a random function as an argument. */
export const timeAndChance: readonly { files: RegExp; reason: string }[] = [
  { files: /\/(clock|random)\.ts$/, reason: "the door itself" },
  { files: /^packages\/[^/]+\/src\/main\.ts$/, reason: "an entry point wires the real clock" },
];

/** Files that nothing imports and that are no entry point of the package.json, and yet are in use. */
export const aliveFiles: readonly { files: RegExp; reason: string }[] = [
  { files: /\/src\/index\.ts$/, reason: "what the package exports" },
  { files: /\/src\/main\.ts$/, reason: "run by bin/ and npm start" },
];
