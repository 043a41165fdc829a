import { type Cidr, familyBits, type IpAddress, ipFromBigInt, type IpFamily } from "@fiberlb/types";
import fc from "fast-check";

import type { LargeCommunity } from "../src/routes/communities.ts";
import { normalPath, type Path } from "../src/routes/path.ts";

const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });

const prefixOf = (family: IpFamily): fc.Arbitrary<Cidr> =>
  fc
    .record({ length: fc.integer({ min: 0, max: familyBits(family) }), bits: fc.bigInt({ min: 1n, max: 1n << 20n }) })
    .map(({ length, bits }) => {
      const hostBits = BigInt(familyBits(family) - length);
      // From documentation networks, so that no IPv4-mapped address comes out.
      const start = family === "IPV4" ? 0xcb00_7100n : 0x2001_0db8n << 96n;
      const network = ((start ^ (bits << BigInt(familyBits(family) - 24))) >> hostBits) << hostBits;
      return `${ipFromBigInt(BigInt.asUintN(familyBits(family), network), family)}/${length}` as Cidr;
    });

const nextHopOf = (family: IpFamily): fc.Arbitrary<IpAddress> =>
  fc
    .integer({ min: 1, max: 254 })
    .map((last) => (family === "IPV4" ? `198.51.100.${last}` : `2001:db8:99::${last.toString(16)}`) as IpAddress);

/** Any path that the speaker can announce. */
export const anyPath: fc.Arbitrary<Path> = fc
  .constantFrom("IPV4" as const, "IPV6" as const)
  .chain((family) =>
    fc.record(
      {
        prefix: prefixOf(family),
        nextHop: nextHopOf(family),
        communities: fc.array(uint32, { maxLength: 4 }),
        largeCommunities: fc.array(fc.tuple(uint32, uint32, uint32), { maxLength: 3 }) as fc.Arbitrary<
          LargeCommunity[]
        >,
        localPreference: uint32,
        med: uint32,
      },
      { requiredKeys: ["prefix", "nextHop", "communities", "largeCommunities"] },
    ),
  )
  .map(normalPath);

/** Paths of few prefixes, so that sets of them overlap. */
export const anyTable: fc.Arbitrary<ReadonlyMap<Cidr, Path>> = fc
  .uniqueArray(fc.record({ last: fc.integer({ min: 0, max: 9 }), med: fc.integer({ min: 0, max: 2 }) }), {
    selector: ({ last }) => last,
  })
  .map((entries) => new Map(entries.map(({ last, med }) => pathEntry(last, med))));

function pathEntry(last: number, med: number): [Cidr, Path] {
  const prefix = `203.0.113.${last}/32` as Cidr;
  return [prefix, { prefix, nextHop: "10.99.0.1" as IpAddress, communities: [], largeCommunities: [], med }];
}
