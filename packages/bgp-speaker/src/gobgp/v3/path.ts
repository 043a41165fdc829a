import { create, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { type Any, anyPack, anyUnpack } from "@bufbuild/protobuf/wkt";

import {
  CommunitiesAttributeSchema,
  IPAddressPrefixSchema,
  LargeCommunitiesAttributeSchema,
  LocalPrefAttributeSchema,
  MpReachNLRIAttributeSchema,
  MultiExitDiscAttributeSchema,
  NextHopAttributeSchema,
  OriginAttributeSchema,
  type Path as WirePath,
  PathSchema,
} from "../../gen/gobgp/v3/gobgp_pb.ts";
import type { Path } from "../../routes/path.ts";
import { familyOf, IPV6_UNICAST, wirePrefix } from "../families.ts";
import { fromWireLarge, ORIGIN_IGP, type PathPart, readPath, toWireLarge } from "../read-path.ts";

/** A path to announce. */
export const encodePath = (path: Path, identifier: number): WirePath =>
  create(PathSchema, { ...key(path, identifier), pattrs: attributesOf(path) });

/** A path to take back, for which the daemon needs no attributes. */
export const encodeWithdrawal = (path: Path, identifier: number): WirePath =>
  create(PathSchema, { ...key(path, identifier), isWithdraw: true });

const key = ({ prefix }: Path, identifier: number) => ({
  nlri: nlriOf(prefix),
  family: familyOf(prefix),
  identifier,
});

const nlriOf = (prefix: Path["prefix"]): Any => pack(IPAddressPrefixSchema, wirePrefix(prefix));

const pack = <Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): Any =>
  anyPack(schema, create(schema, init));

function attributesOf(path: Path): Any[] {
  const { communities, largeCommunities, localPreference, med } = path;
  const attributes = [pack(OriginAttributeSchema, { origin: ORIGIN_IGP }), nextHopOf(path)];
  if (med !== undefined) attributes.push(pack(MultiExitDiscAttributeSchema, { med }));
  if (localPreference !== undefined) attributes.push(pack(LocalPrefAttributeSchema, { localPref: localPreference }));
  if (communities.length > 0) attributes.push(pack(CommunitiesAttributeSchema, { communities: [...communities] }));
  if (largeCommunities.length > 0) {
    attributes.push(pack(LargeCommunitiesAttributeSchema, { communities: largeCommunities.map(toWireLarge) }));
  }
  return attributes;
}

/** IPv6 has its next hop in MP_REACH_NLRI (RFC 2545). */
function nextHopOf({ prefix, nextHop }: Path): Any {
  const family = familyOf(prefix);
  if (family !== IPV6_UNICAST) return pack(NextHopAttributeSchema, { nextHop });
  return pack(MpReachNLRIAttributeSchema, { family, nextHops: [nextHop], nlris: [nlriOf(prefix)] });
}

/** @returns undefined for a prefix that the speaker would never announce */
export const decodePath = (destination: string, { pattrs }: WirePath): Path | undefined =>
  readPath(destination, pattrs.map(partOf));

const partOf = (any: Any): PathPart => readers.get(any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1))?.(any) ?? {};

/** By message name, as it ends an Any's type URL. */
const readers: ReadonlyMap<string, (any: Any) => PathPart> = new Map([
  reader(NextHopAttributeSchema, ({ nextHop }) => ({ nextHop })),
  reader(MpReachNLRIAttributeSchema, ({ nextHops }) => ({ nextHop: nextHops[0] ?? "" })),
  reader(MultiExitDiscAttributeSchema, ({ med }) => ({ med })),
  reader(LocalPrefAttributeSchema, ({ localPref }) => ({ localPreference: localPref })),
  reader(CommunitiesAttributeSchema, ({ communities }) => ({ communities })),
  reader(LargeCommunitiesAttributeSchema, ({ communities }) => ({ largeCommunities: communities.map(fromWireLarge) })),
]);

function reader<Desc extends DescMessage>(
  schema: Desc,
  read: (message: MessageShape<Desc>) => PathPart,
): readonly [string, (any: Any) => PathPart] {
  return [
    schema.typeName,
    (any) => {
      const message = anyUnpack(any, schema);
      return message === undefined ? {} : read(message);
    },
  ];
}

/** The prefix of a path that comes without its destination. */
export function prefixOf({ nlri }: WirePath): string {
  const found = nlri === undefined ? undefined : anyUnpack(nlri, IPAddressPrefixSchema);
  return found === undefined ? "" : `${found.prefix}/${found.prefixLen}`;
}
