import { RouteError } from "../errors.ts";

/** A large community: global administrator and two local parts, 32 bits each (RFC 8092). */
export type LargeCommunity = readonly [number, number, number];

const UINT16 = 0xffff;
const UINT32 = 0xffff_ffff;

/** @returns the 32 bits of `asn:value` (RFC 1997). @throws RouteError */
export function parseCommunity(text: string): number {
  const [high, low] = parts(text, { count: 2, most: UINT16 });
  if (high === undefined || low === undefined) {
    throw new RouteError(`community ${JSON.stringify(text)} must be asn:value, both 0 to 65535, such as 65535:0`);
  }
  return high * 0x1_0000 + low;
}

/** @throws RouteError */
export function parseLargeCommunity(text: string): LargeCommunity {
  const [global, local1, local2] = parts(text, { count: 3, most: UINT32 });
  if (global === undefined || local1 === undefined || local2 === undefined) {
    throw new RouteError(
      `large community ${JSON.stringify(text)} must be global:local1:local2, each 0 to 4294967295, such as 64512:1:2`,
    );
  }
  return [global, local1, local2];
}

function parts(text: string, { count, most }: { readonly count: number; readonly most: number }): readonly number[] {
  const found = text.split(":");
  const sound =
    found.length === count && found.every((part) => /^(0|[1-9]\d{0,9})$/.test(part) && Number(part) <= most);
  return sound ? found.map(Number) : [];
}

/** The inverse of {@link parseCommunity}. */
export const formatCommunity = (bits: number): string => `${bits >>> 16}:${bits & UINT16}`;

/** The inverse of {@link parseLargeCommunity}. */
export const formatLargeCommunity = (community: LargeCommunity): string => community.join(":");
