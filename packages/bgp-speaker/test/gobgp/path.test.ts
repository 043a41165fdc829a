import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { PathSchema as PathV3 } from "../../src/gen/gobgp/v3/gobgp_pb.ts";
import { PathSchema as PathV4 } from "../../src/gen/gobgp/v4/gobgp_pb.ts";
import { readPath } from "../../src/gobgp/read-path.ts";
import * as v3 from "../../src/gobgp/v3/path.ts";
import * as v4 from "../../src/gobgp/v4/path.ts";
import type { Path } from "../../src/routes/path.ts";
import { anyPath } from "../arbitraries.ts";

/** Over the wire and back. */
const codecs = {
  "3.x": {
    encodePath: (path: Path) => fromBinary(PathV3, toBinary(PathV3, v3.encodePath(path, 7))),
    encodeWithdrawal: (path: Path) => fromBinary(PathV3, toBinary(PathV3, v3.encodeWithdrawal(path, 7))),
    decode: (path: Path) => v3.decodePath(path.prefix, codecs["3.x"].encodePath(path)),
    prefixOf: (path: Path) => v3.prefixOf(codecs["3.x"].encodeWithdrawal(path)),
  },
  "4.x": {
    encodePath: (path: Path) => fromBinary(PathV4, toBinary(PathV4, v4.encodePath(path, 7))),
    encodeWithdrawal: (path: Path) => fromBinary(PathV4, toBinary(PathV4, v4.encodeWithdrawal(path, 7))),
    decode: (path: Path) => v4.decodePath(path.prefix, codecs["4.x"].encodePath(path)),
    prefixOf: (path: Path) => v4.prefixOf(codecs["4.x"].encodeWithdrawal(path)),
  },
} as const;

describe.each(["3.x", "4.x"] as const)("GoBGP %s", (generation) => {
  const codec = codecs[generation];

  test("a path comes back as it was sent", () => {
    fc.assert(fc.property(anyPath, (path) => expect(codec.decode(path)).toEqual(path)));
  });

  test("a withdrawal carries the prefix, the family and the mark, and nothing else", () => {
    fc.assert(
      fc.property(anyPath, (path) => {
        const { isWithdraw, identifier, family, pattrs } = codec.encodeWithdrawal(path);
        const afi = path.prefix.includes(":") ? 2 : 1;
        expect({ isWithdraw, identifier, pattrs }).toEqual({ isWithdraw: true, identifier: 7, pattrs: [] });
        expect(family).toMatchObject({ afi, safi: 1 });
        expect(codec.prefixOf(path)).toBe(path.prefix);
      }),
    );
  });
});

test("a path that is marked as ours, but is not what we would set, differs from everything desired", () => {
  expect(readPath("203.0.113.1/32", [{ nextHop: "nonsense" }])?.nextHop).toBe("nonsense");
  expect(readPath("203.0.113.1/32", [])?.nextHop).toBe("");
});

test("a prefix that the speaker would not announce is none of ours", () => {
  expect(readPath("203.0.113.1/24", [])).toBeUndefined();
});
