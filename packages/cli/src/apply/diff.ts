import { isDeepStrictEqual } from "node:util";

import { immutableFields, type ResourceKind, toCamelCase } from "@fiberlb/types";

import { type Actual, certificateContent } from "./actual.ts";
import type { Desired } from "./desired.ts";
import { type Fields, without } from "./file-fields.ts";
import type { FieldChange } from "./plan-node.ts";

/** Fields that the server assigned stay when the file does not write them: the VIP and its pool, and made-up names. */
export function keepAssigned(wanted: Desired, { fields }: Actual): Desired {
  const assigned = wanted.kind === "loadBalancer" ? assignedVip(wanted, fields) : [];
  const names = wanted.written.has("name") ? [] : ["name"];
  const kept = [...assigned, ...names].flatMap((name) =>
    fields[name] === undefined ? [] : [[name, fields[name]] as const],
  );
  return { ...wanted, fields: { ...wanted.fields, ...Object.fromEntries(kept) } };
}

/** An address that cannot stay, because the file wants another pool or family, is not kept. */
function assignedVip({ written, fields: wanted }: Desired, actual: Fields): readonly string[] {
  const moves = ["vipPool", "ipFamily"].some((name) => written.has(name) && wanted[name] !== actual[name]);
  const kept = [
    ...(written.has("vipPool") ? [] : ["vipPool"]),
    ...(written.has("ipFamily") || written.has("vipAddress") ? [] : ["ipFamily"]),
  ];
  return written.has("vipAddress") || moves
    ? kept.filter((name) => name !== "vipPool" || !moves)
    : [...kept, "vipAddress"];
}

/** Fields of the resource itself that differ, defaults filled in. */
export function diff(wanted: Desired, is: Actual): readonly FieldChange[] {
  if (wanted.kind === "certificate") return diffCertificate(wanted, is);
  return diffFields(wanted.fields, is.fields);
}

function diffFields(wanted: Fields, is: Fields): readonly FieldChange[] {
  const names = [...new Set([...Object.keys(wanted), ...Object.keys(is)])];
  return names
    .filter((name) => !isDeepStrictEqual(wanted[name], is[name]))
    .map((name) => ({ name, from: is[name], to: wanted[name] }));
}

/** Content is compared by fingerprint: line ends and comments in a PEM file mean nothing, and keys are never given back. */
function diffCertificate(wanted: Desired, is: Actual): readonly FieldChange[] {
  const [to, from] = [certificateContent(wanted), certificateContent(is)];
  const content = to === from ? [] : [{ name: "certificatePem", from: `SHA-256 ${from}`, to: `SHA-256 ${to}` }];
  const others = (fields: Fields): Fields => without(fields, "certificatePem", "privateKeyPem");
  return [...diffFields(others(wanted.fields), others(is.fields)), ...content];
}

/** Whether the API refuses to change the field. */
export function isImmutable(kind: ResourceKind, name: string): boolean {
  // A VIP pool is known by its name, which therefore never differs.
  return immutableFields(kind).some((field) => toCamelCase(field) === name);
}
