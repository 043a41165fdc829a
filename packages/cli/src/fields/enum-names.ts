import type { DescEnum } from "@bufbuild/protobuf";

/** `LISTENER_PROTOCOL_HTTP` of `ListenerProtocol` is `HTTP`. */
export function shortEnumName(desc: DescEnum, name: string): string {
  const prefix = desc.sharedPrefix?.toUpperCase() ?? "";
  return name.startsWith(prefix) ? name.slice(prefix.length) : name;
}

/** Values of an enum as people write them, without prefix and without UNSPECIFIED. */
export const enumNames = (desc: DescEnum): readonly string[] =>
  desc.values.filter(({ number }) => number !== 0).map(({ name }) => shortEnumName(desc, name));

/** The short name of what was typed: short or full, in any case, with hyphens or underscores; undefined when it is none. */
export function parseEnumName(desc: DescEnum, text: string): string | undefined {
  const typed = shortEnumName(desc, text.toUpperCase().replaceAll("-", "_"));
  return enumNames(desc).find((name) => name === typed);
}
