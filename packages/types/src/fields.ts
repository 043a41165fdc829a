import { z } from "zod";

import { type IpAddress, isIpv4Mapped, parseIp, unmapIpv4 } from "./address.ts";
import { parseAddressRange, parseCidr } from "./cidr.ts";
import { parseHost, parsePort } from "./host.ts";
import { type Id, parseId } from "./ids.ts";
import { fail, type ParseResult, show, type ViolationReason } from "./result.ts";

/** Largest value of a protobuf uint32. */
export const UINT32_MAX = 4_294_967_295;

const typed = (expected: string) => ({
  error: (issue: { input?: unknown }) =>
    issue.input === undefined ? "is required" : `must be ${expected}, not ${show(issue.input)}`,
});

/** Parameters of a zod issue that become {@link Violation.reason}. */
const because = (reason: ViolationReason) => ({ params: { reason } });

/** A field whose text one of our parsers reads; the value is canonical. */
function parsed<T>(expected: string, parse: (given: string) => ParseResult<T>) {
  return z.string(typed(expected)).transform((given, context): T => {
    const result = parse(given);
    if (result.ok) return result.value;
    context.addIssue({ code: "custom", message: result.error, ...because("INVALID_FORMAT") });
    return z.NEVER;
  });
}

/** Text that a parser accepts and that stays as it was written. */
export const parsedText = (expected: string, parse: (given: string) => ParseResult<unknown>) =>
  parsed(expected, (given): ParseResult<string> => {
    const result = parse(given);
    return result.ok ? { ok: true, value: given } : result;
  });

/** The id of a resource of one kind. */
export const id = <I extends Id>() => parsed("an id", parseId<I>);
/** A network; canonical. */
export const cidr = () => parsed("a network such as 10.0.0.0/8", parseCidr);
/** A network or an `a-b` range; canonical. */
export const addressRange = () => parsed("a network or a range", parseAddressRange);
/** Where a connection can be opened to; canonical. */
export const host = () => parsed("an IP address or a DNS name", parseHost);
/** An address that is not IPv4-mapped; canonical. */
export const ip = () => parsed("an IP address", parsePlainIp);

function parsePlainIp(given: string): ParseResult<IpAddress> {
  const result = parseIp(given);
  return result.ok && isIpv4Mapped(result.value) ? fail(`must be written as IPv4: ${unmapIpv4(result.value)}`) : result;
}

/** 1 to 65535. */
export const port = () =>
  z.number(typed("a port")).transform((given, context) => {
    const result = parsePort(given);
    if (result.ok) return result.value;
    context.addIssue({ code: "custom", message: result.error, ...because("OUT_OF_RANGE") });
    return z.NEVER;
  });

/** A whole number from `min` to `max`, both allowed. */
export function integer({ min = 0, max = UINT32_MAX }: { readonly min?: number; readonly max?: number } = {}) {
  return z.number(typed("a whole number")).refine((value) => Number.isInteger(value) && value >= min && value <= max, {
    error: ({ input }) => `must be ${min} to ${max}, not ${show(input)}`,
    ...because("OUT_OF_RANGE"),
  });
}

/** True or false, and no text that looks like it. */
export const flag = () => z.boolean(typed("true or false"));

/**
 * One of a few names. The protobuf spelling with the enum's prefix is understood, too: `LISTENER_PROTOCOL_HTTP` is `HTTP`.
 */
export function choice<const V extends readonly string[]>(prefix: string, values: V) {
  const expected = values.join(", ");
  return z.string(typed(`one of ${expected}`)).transform((given, context): V[number] => {
    const name = given.startsWith(`${prefix}_`) ? given.slice(prefix.length + 1) : given;
    if (values.includes(name)) return name;
    context.addIssue({
      code: "custom",
      message: `must be one of ${expected}, not ${show(name)}`,
      ...because("NOT_ALLOWED"),
    });
    return z.NEVER;
  });
}

/** Limits of a text. */
export interface TextOptions {
  /** In characters (code points). */
  readonly max: number;
  readonly pattern?: RegExp;
  /** What the pattern wants, for the message: `a path that begins with "/"`. */
  readonly expected?: string;
  /** Keeps the value out of messages. */
  readonly secret?: boolean;
}

/** Counted as code points, so that the limit does not depend on the script. */
const characters = (value: string): number => Array.from(value).length;

/** Text without control characters other than, in free text, line ends and tabs. */
export function text({ max, pattern, expected = "printable text", secret = false }: TextOptions) {
  return z
    .string(typed(expected))
    .refine((value) => characters(value) <= max, {
      error: ({ input }) => `must have at most ${max} characters, not ${characters(String(input))}`,
      ...because("TOO_LONG"),
    })
    .refine((value) => isWritable(value) && (pattern?.test(value) ?? true), {
      error: ({ input }) => (secret ? `must be ${expected}` : `must be ${expected}, not ${show(input)}`),
      ...because("INVALID_FORMAT"),
    });
}

// Lone surrogates cannot be written as UTF-8, which protobuf needs.
const isWritable = (value: string): boolean => value.isWellFormed() && !/[^\P{Cc}\t\r\n]/u.test(value);

/** Names: 1 to 255 printable characters, no space at either end. */
export const resourceName = () =>
  text({
    max: 255,
    pattern: /^(?!\s)[^\p{C}\p{Zl}\p{Zp}]+(?<!\s)$/u,
    expected: "printable text without spaces at its ends",
  });

/** Free text for people. */
export const description = () => text({ max: 1000 });

/** Limits of a map. */
export interface StringMapOptions {
  readonly maxEntries: number;
  readonly value: z.ZodType<string, string>;
  readonly key: RegExp;
  /** What a key must be, for the message. */
  readonly expectedKey: string;
}

/** A map from text to text. */
export function stringMap({ maxEntries, value, key, expectedKey }: StringMapOptions) {
  return z
    .record(z.string(), value, typed("an object of texts"))
    .refine((map) => Object.keys(map).length <= maxEntries, {
      error: ({ input }) => `must have at most ${maxEntries} entries, not ${Object.keys(input as object).length}`,
      ...because("TOO_MANY"),
    })
    .superRefine((map, context) => {
      for (const name of Object.keys(map)) {
        if (key.test(name)) continue;
        const message = `must have as its key ${expectedKey}, not ${show(name)}`;
        context.addIssue({ code: "custom", path: [name], message, ...because("INVALID_FORMAT") });
      }
    });
}

/** At most 64 free labels. */
export const labels = ({ maxValue }: { readonly maxValue: number }) =>
  stringMap({
    maxEntries: 64,
    value: text({ max: maxValue }),
    key: /^[^\p{C}\p{Z}]{1,128}$/u,
    expectedKey: "1 to 128 printable characters without spaces",
  });

/** Free labels that lists filter by. */
export const tags = () => labels({ maxValue: 256 });

/** A list without duplicates. */
export function uniqueList<S extends z.ZodType>(item: S, { max }: { readonly max: number }) {
  return z
    .array(item, typed("a list"))
    .refine((list) => list.length <= max, {
      error: ({ input }) => `must have at most ${max} entries, not ${(input as unknown[]).length}`,
      ...because("TOO_MANY"),
    })
    .superRefine((list, context) => {
      list.forEach((entry, index) => {
        if (list.indexOf(entry) === index) return;
        const message = `must not be there twice: ${show(entry)}`;
        context.addIssue({ code: "custom", path: [index], message, ...because("DUPLICATE") });
      });
    });
}

/** A nested message; unknown keys are violations. */
export const message = <S extends z.ZodRawShape>(shape: S) => z.strictObject(shape, typed("an object"));
/** A list that may hold a value twice. */
export const list = <S extends z.ZodType>(item: S) => z.array(item, typed("a list"));

const ISO_TIMESTAMP = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;

/** As `Date.toISOString` writes it: `2026-01-02T03:04:05.678Z`. */
export const timestamp = () =>
  z.string(typed("a timestamp")).regex(ISO_TIMESTAMP, "must be a UTC timestamp in milliseconds");
