import type { DescEnum, DescField, DescMessage, Message } from "@bufbuild/protobuf";
import { create, isFieldSet, ScalarType } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs, TimestampSchema } from "@bufbuild/protobuf/wkt";

/** A message as the domain sees it: field names of protobuf JSON, short enum names, numbers, ISO 8601 timestamps. */
export type Plain = Record<string, unknown>;

/** Two directions of one kind of value. */
interface Converter {
  readonly toProto: (value: unknown) => unknown;
  readonly toPlain: (value: unknown) => unknown;
}

interface FieldPlan extends Converter {
  readonly field: DescField;
}

const plans = new WeakMap<DescMessage, readonly FieldPlan[]>();

/** How each field of the message is converted, worked out once from its descriptor. */
function planOf(schema: DescMessage): readonly FieldPlan[] {
  const known = plans.get(schema);
  if (known !== undefined) return known;
  const plan = schema.fields.map((field) => ({ field, ...converterOf(field) }));
  plans.set(schema, plan);
  return plan;
}

/** The message with the fields that `value` has; fields of `value` that the message lacks are left out. */
export function plainToMessage(schema: DescMessage, value: Readonly<Plain>): Message {
  const message = create(schema) as Message & Plain;
  for (const { field, toProto } of planOf(schema)) {
    const given = value[field.jsonName];
    if (given !== undefined) message[field.localName] = toProto(given);
  }
  return message;
}

/** The fields that are present: set, or, where the field has no presence, not zero, false or empty. */
export function messageToPlain(schema: DescMessage, message: Message): Plain {
  const plain: Plain = {};
  for (const { field, toPlain } of planOf(schema)) {
    if (isFieldSet(message, field)) plain[field.jsonName] = toPlain((message as Message & Plain)[field.localName]);
  }
  return plain;
}

function converterOf(field: DescField): Converter {
  switch (field.fieldKind) {
    case "list":
      return each(singular(field.listKind, field));
    case "map":
      return mapped(singular(field.mapKind, field));
    default:
      return singular(field.fieldKind, field);
  }
}

type SingularKind = "scalar" | "enum" | "message";

function singular(kind: SingularKind, field: DescField): Converter {
  if (kind === "enum" && field.enum !== undefined) return enumeration(field.enum);
  if (kind === "message" && field.message !== undefined) {
    return field.message.typeName === TimestampSchema.typeName ? TIMESTAMP : nested(field.message);
  }
  return field.scalar !== undefined && LONG_TYPES.has(field.scalar) ? LONG : AS_IS;
}

const AS_IS: Converter = { toProto: (value) => value, toPlain: (value) => value };

const LONG_TYPES: ReadonlySet<ScalarType> = new Set([
  ScalarType.INT64,
  ScalarType.UINT64,
  ScalarType.SINT64,
  ScalarType.FIXED64,
  ScalarType.SFIXED64,
]);

/** 64-bit numbers are plain numbers in the domain; one that a number cannot hold stays a bigint, which validation refuses. */
const LONG: Converter = {
  toProto: (value) => BigInt(value as number | bigint),
  toPlain: (value) => {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  },
};

const MAX_DATE_MS = 8.64e15;

const TIMESTAMP: Converter = {
  toProto: (value) => timestampFromMs(Date.parse(value as string)),
  toPlain: (value) => {
    const { seconds, nanos } = value as Timestamp;
    const ms = Number(seconds) * 1000 + Math.floor(nanos / 1_000_000);
    // A time that no Date can hold stays readable and fails validation, instead of throwing here.
    return Math.abs(ms) <= MAX_DATE_MS ? new Date(ms).toISOString() : `${seconds} s after 1970`;
  },
};

const nested = (schema: DescMessage): Converter => ({
  toProto: (value) => plainToMessage(schema, value as Plain),
  toPlain: (value) => messageToPlain(schema, value as Message),
});

/** A number without a name, from a newer client, becomes its digits, which validation refuses by name. */
function enumeration(desc: DescEnum): Converter {
  const numbers = new Map(desc.values.map(({ name, number }) => [shortName(desc, name), number]));
  const names = new Map(Array.from(numbers, ([name, number]) => [number, name]));
  return {
    toProto: (value) => {
      const number = numbers.get(value as string);
      if (number === undefined)
        throw new TypeError(`Cannot convert to ${desc.typeName}: ${String(value)} is no value of it`);
      return number;
    },
    toPlain: (value) => names.get(value as number) ?? String(value),
  };
}

/** `LISTENER_PROTOCOL_HTTP` of `ListenerProtocol` is `HTTP`. */
export function shortName(desc: DescEnum, name: string): string {
  const prefix = desc.sharedPrefix?.toUpperCase() ?? "";
  return name.startsWith(prefix) ? name.slice(prefix.length) : name;
}

const each = ({ toProto, toPlain }: Converter): Converter => ({
  toProto: (value) => (value as readonly unknown[]).map(toProto),
  toPlain: (value) => (value as readonly unknown[]).map(toPlain),
});

const mapped = ({ toProto, toPlain }: Converter): Converter => ({
  toProto: (value) => mapValues(value as Plain, toProto),
  toPlain: (value) => mapValues(value as Plain, toPlain),
});

const mapValues = (object: Readonly<Plain>, convert: (value: unknown) => unknown): Plain =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key, convert(value)]));
