import { create, type MessageInitShape } from "@bufbuild/protobuf";

import {
  type Attribute,
  type AttributeSchema,
  type Path as WirePath,
  PathSchema,
} from "../../gen/gobgp/v4/gobgp_pb.ts";
import type { Path } from "../../routes/path.ts";
import { familyOf, IPV6_UNICAST, wirePrefix } from "../families.ts";
import { fromWireLarge, ORIGIN_IGP, type PathPart, readPath, toWireLarge } from "../read-path.ts";

type AttributeInit = NonNullable<MessageInitShape<typeof AttributeSchema>["attr"]>;

/** A path to announce. */
export const encodePath = (path: Path, identifier: number): WirePath =>
  create(PathSchema, { ...key(path, identifier), pattrs: attributesOf(path).map((attr) => ({ attr })) });

/** A path to take back, for which the daemon needs no attributes. */
export const encodeWithdrawal = (path: Path, identifier: number): WirePath =>
  create(PathSchema, { ...key(path, identifier), isWithdraw: true });

const key = ({ prefix }: Path, identifier: number) => ({
  nlri: nlriOf(prefix),
  family: familyOf(prefix),
  identifier,
});

const nlriOf = (prefix: Path["prefix"]) => ({ nlri: { case: "prefix", value: wirePrefix(prefix) } }) as const;

function attributesOf(path: Path): AttributeInit[] {
  const { communities, largeCommunities, localPreference, med } = path;
  const attributes: AttributeInit[] = [{ case: "origin", value: { origin: ORIGIN_IGP } }, nextHopOf(path)];
  if (med !== undefined) attributes.push({ case: "multiExitDisc", value: { med } });
  if (localPreference !== undefined) attributes.push({ case: "localPref", value: { localPref: localPreference } });
  if (communities.length > 0) attributes.push({ case: "communities", value: { communities: [...communities] } });
  if (largeCommunities.length > 0) {
    attributes.push({ case: "largeCommunities", value: { communities: largeCommunities.map(toWireLarge) } });
  }
  return attributes;
}

/** IPv6 has its next hop in MP_REACH_NLRI (RFC 2545). */
function nextHopOf({ prefix, nextHop }: Path): AttributeInit {
  const family = familyOf(prefix);
  if (family !== IPV6_UNICAST) return { case: "nextHop", value: { nextHop } };
  return { case: "mpReach", value: { family, nextHops: [nextHop], nlris: [nlriOf(prefix)] } };
}

/** @returns undefined for a prefix that the speaker would never announce */
export const decodePath = (destination: string, { pattrs }: WirePath): Path | undefined =>
  readPath(destination, pattrs.map(partOf));

function partOf({ attr }: Attribute): PathPart {
  switch (attr.case) {
    case "nextHop":
      return { nextHop: attr.value.nextHop };
    case "mpReach":
      return { nextHop: attr.value.nextHops[0] ?? "" };
    case "multiExitDisc":
      return { med: attr.value.med };
    case "localPref":
      return { localPreference: attr.value.localPref };
    case "communities":
      return { communities: attr.value.communities };
    case "largeCommunities":
      return { largeCommunities: attr.value.communities.map(fromWireLarge) };
    case "origin":
    case undefined:
      return {};
  }
}

/** The prefix of a path that comes without its destination. */
export function prefixOf({ nlri }: WirePath): string {
  const found = nlri?.nlri.case === "prefix" ? nlri.nlri.value : undefined;
  return found === undefined ? "" : `${found.prefix}/${found.prefixLen}`;
}
