import fc from "fast-check";

/** A way to make one field of a valid request wrong. */
export interface Fault {
  /** Path of the violation that it must cause. */
  readonly path: string;
  /** Path of the field for the mask. */
  readonly mask: string;
  /** Wrong values of the field. */
  readonly values: fc.Arbitrary<object>;
  /** An update may not name the field at all. */
  readonly frozen: boolean;
}

const UINT32_MAX = 4_294_967_295;

/** `field` gets one of `values`; both in camelCase, nested by dots. */
function fault(
  path: string,
  values: fc.Arbitrary<unknown>,
  options: { frozen?: boolean; mask?: string; at?: string } = {},
): Fault {
  const at = options.at ?? path;
  const names = at.split(".").map((name) => name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()));
  const nest = (value: unknown): object =>
    names.reduceRight<unknown>((inner, name) => ({ [name]: inner }), value) as object;
  return {
    path,
    mask: options.mask ?? at.split(".")[0] ?? at,
    values: values.map(nest),
    frozen: options.frozen ?? false,
  };
}

const above = (max: number): fc.Arbitrary<number> => fc.integer({ min: max + 1, max: UINT32_MAX });
const noEnum = fc.integer({ min: 50, max: 1000 });
const noIp = fc.constantFrom(
  "web",
  "10.0.0",
  "10.0.0.256",
  "0x7f.1",
  "010.0.0.1",
  "fe80::1%eth0",
  "::ffff:10.0.0.1",
  "1.2.3.4/32",
);
const noHost = fc.constantFrom(
  "a b",
  "-.x",
  "10.0.0.300",
  "[::1]",
  "http://x",
  "a..b",
  "0.0.0.0",
  "224.0.0.1",
  "é.test",
);
const noId = fc.constantFrom(
  "web",
  "1",
  "019a3c7e-0b1d-4c44-8f6e-2b9d1c5a7e30",
  "{019a3c7e-0b1d-7c44-8f6e-2b9d1c5a7e30}",
);
const noCidr = fc.constantFrom("10.0.0.1/8", "10.0.0.0", "10.0.0.0/33", "::/129", "any", "2001:db8::1/32");
const noName = fc.oneof(
  fc.constantFrom(" web", "web ", "we\u0000b", "we\nb", "\u202ebew"),
  fc.integer({ min: 256, max: 400 }).map((length) => "x".repeat(length)),
);
const tooLong = (max: number) => fc.integer({ min: max + 1, max: max + 500 }).map((length) => "y".repeat(length));

const NAMED = [fault("name", noName), fault("description", tooLong(1000))];
const TAGGED = [fault('tags["a b"]', fc.constant({ "a b": "1" }), { at: "tags" })];
const frozen = { frozen: true };

/** Faults of each kind, for a request that is otherwise right. */
export const FAULTS = {
  loadBalancer: [
    ...NAMED,
    ...TAGGED,
    fault("vip_address", noIp, frozen),
    fault("vip_pool", noName, frozen),
    fault("ip_family", noEnum, frozen),
  ],
  listener: [
    ...NAMED,
    ...TAGGED,
    fault("load_balancer_id", noId, frozen),
    fault("protocol", noEnum, frozen),
    fault("port", fc.oneof(fc.constant(0), above(65_535)), frozen),
    fault("default_pool_id", noId),
    fault("client_idle_timeout_ms", above(604_800_000)),
    fault("backend_connect_timeout_ms", above(604_800_000)),
    fault("max_uri_bytes", fc.oneof(fc.nat({ max: 63 }), above(1_048_576))),
    fault("max_header_count", fc.oneof(fc.constant(0), above(10_000))),
    fault(
      "allowed_cidrs[0]",
      noCidr.map((cidr) => [cidr]),
      { at: "allowed_cidrs" },
    ),
    fault(
      "proxy_protocol_trusted_cidrs[1]",
      noCidr.map((cidr) => ["10.0.0.0/8", cidr]),
      { at: "proxy_protocol_trusted_cidrs" },
    ),
    fault("forwarded_headers", noEnum),
    fault("access_log.path", fc.constantFrom("../x", "a/../b", "x\ny")),
  ],
  pool: [
    ...NAMED,
    ...TAGGED,
    fault("load_balancer_id", noId, frozen),
    fault("protocol", noEnum, frozen),
    fault("algorithm", noEnum),
    fault("drain_timeout_s", above(86_400)),
    fault("slow_start_s", above(3600)),
    fault("panic_threshold_percent", above(100)),
    fault("queue_timeout_ms", above(600_000)),
    fault("session_persistence.type", fc.constantFrom(0, 77)),
    fault("maglev.table_size", fc.oneof(fc.constantFrom(4, 65_536, 1_000_000), above(5_000_011))),
    fault("outlier_detection.max_ejected_percent", above(100)),
    fault("forwarding", noEnum),
  ],
  backend: [
    ...NAMED,
    ...TAGGED,
    fault("pool_id", noId, frozen),
    fault("address", fc.oneof(noHost, fc.constant("")), frozen),
    fault("port", fc.oneof(fc.constant(0), above(65_535)), frozen),
    fault("weight", above(256)),
    fault("monitor_address", noHost),
    fault("monitor_port", above(65_535)),
    fault("ttl_s", above(86_400)),
    fault(
      'metadata["k"]',
      tooLong(1024).map((k) => ({ k })),
      { at: "metadata" },
    ),
  ],
  healthCheck: [
    ...NAMED,
    fault("pool_id", noId, frozen),
    fault("type", noEnum, frozen),
    fault("interval_ms", fc.oneof(fc.nat({ max: 9 }), above(3_600_000))),
    fault("rise", fc.oneof(fc.constant(0), above(100))),
    fault("fall", fc.oneof(fc.constant(0), above(100))),
    fault("http.expected_codes", fc.constantFrom("abc", "99", "600", "300-200", "200,", "2xx")),
  ],
  l7Policy: [
    ...NAMED,
    fault("listener_id", noId, frozen),
    fault("position", above(1_000_000)),
    fault("action", noEnum),
    fault("redirect_http_code", fc.constantFrom(0, 200, 300, 304, 309, 500)),
    fault("redirect_pool_id", noId),
    fault('set_response_headers["a b"]', fc.constant({ "a b": "1" }), { at: "set_response_headers" }),
  ],
  l7Rule: [
    ...NAMED,
    fault("l7_policy_id", noId, frozen),
    fault("type", noEnum),
    fault("compare_type", noEnum),
    fault("value", fc.constantFrom("a\nb", "x".repeat(1025), "\u0007")),
    fault("key", fc.constantFrom("a\nb", "x".repeat(256))),
  ],
  certificate: [
    ...NAMED,
    ...TAGGED,
    fault("type", noEnum, frozen),
    fault("certificate_pem", fc.constantFrom("", "PEM", "-----BEGIN CERTIFICATE-----"), frozen),
    fault("private_key_pem", fc.constantFrom("secret", "-----BEGIN PRIVATE KEY-----"), frozen),
  ],
  vipPool: [
    fault("description", tooLong(1000)),
    fault("name", noName, frozen),
    fault(
      "cidrs[0]",
      noCidr.map((cidr) => [cidr]),
      { at: "cidrs" },
    ),
    fault(
      "cidrs[1]",
      fc.constantFrom("10.1.0.0-10.0.0.0", "10.0.0.1-::1", "1-2").map((range) => ["172.16.0.0/24", range]),
      { at: "cidrs" },
    ),
  ],
} as const satisfies Record<string, readonly Fault[]>;

export type FaultyKind = keyof typeof FAULTS;

/** One to four faults in different fields, with a wrong value each. */
export function faultyFields(kind: FaultyKind, { update }: { readonly update: boolean }) {
  const usable = (FAULTS[kind] as readonly Fault[]).filter((one) => !(update && one.frozen));
  return fc
    .uniqueArray(fc.constantFrom(...usable), { minLength: 1, maxLength: 4, selector: ({ mask }) => mask })
    .chain((faults) =>
      fc.tuple(...faults.map(({ values }) => values)).map((values) => ({
        fields: Object.assign({}, ...values) as object,
        violations: faults.map(({ path }) => path).toSorted(),
        mask: faults.map(({ mask }) => mask),
      })),
    );
}
