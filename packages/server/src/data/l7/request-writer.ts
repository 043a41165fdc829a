import type { ForwardedHeaders } from "@fiberlb/types";

import type { ForwardedClient } from "./forwarded.ts";
import { HeaderEdits } from "./header-edits.ts";
import { type PrefixRewrite, requestHeadBound, type RequestRewrite, writeRequestHead } from "./headers.ts";
import type { RequestHead } from "./http1-head.ts";
import type { ByteRanges } from "./http1-ranges.ts";
import { scratch } from "./scratch.ts";

const NOTHING = new Uint8Array(0);

/** A {@link RequestRewrite} that is filled in anew for each request, since they are written one at a time. */
class MutableRewrite implements RequestRewrite {
  forwarded: ForwardedHeaders = "APPEND";
  client!: ForwardedClient;
  fallbackHost: Uint8Array = NOTHING;
  host: Uint8Array | undefined;
  prefix: PrefixRewrite | undefined;
  requestId: Uint8Array | undefined;
  readonly upgrade = true;
  edits: HeaderEdits = HeaderEdits.none;
  lines: Uint8Array = NOTHING;
}

/** Filled in by whoever calls {@link writeRequest}. */
export const requestRewrite = new MutableRewrite();

/** The request's head after {@link requestRewrite}, and what came of its body with it, as one copy of its own. */
export function writeRequest(head: RequestHead, body: ByteRanges | undefined): Uint8Array {
  let bodyBytes = 0;
  const ranges = body?.count ?? 0;
  for (let i = 0; i < ranges; i++) bodyBytes += body!.end(i) - body!.start(i);
  const out = scratch(requestHeadBound(head, requestRewrite) + bodyBytes);
  let at = writeRequestHead(head, requestRewrite, out, 0);
  for (let i = 0; i < ranges; i++) {
    out.set(head.bytes.subarray(body!.start(i), body!.end(i)), at);
    at += body!.end(i) - body!.start(i);
  }
  requestRewrite.lines = NOTHING;
  return Buffer.from(out.subarray(0, at));
}
