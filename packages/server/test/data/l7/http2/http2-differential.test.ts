import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import fc from "fast-check";

import { pattern } from "../../transport/peer.ts";
import { HttpRig } from "../http-rig.ts";
import { FUZZ_RUNS } from "../http1-fuzz.ts";
import { rule } from "../requests.ts";
import {
  type Asked,
  askHttp1,
  askHttp2,
  chunked,
  ScriptedBackend,
  type ScriptedResponse,
  type Seen,
} from "./exchanges.ts";

// The law: what is asked in HTTP/2 and what is asked in HTTP/1.1 is the same to a backend, and what it answers is the same
// to both clients.

const RUNS = Math.ceil(FUZZ_RUNS / 80);
jest.setTimeout(60_000 + 200 * RUNS);

let rig: HttpRig;
let backend: ScriptedBackend;
beforeAll(async () => {
  const action = { type: "FIXED_RESPONSE", code: 418, contentType: "text/plain", body: "tea" } as const;
  const edits = [{ name: "X-Pot", value: "brown" }];
  const policy = {
    id: "p",
    name: "p",
    rules: [rule("PATH", "STARTS_WITH", "/tea")],
    action,
    setResponseHeaders: edits,
  };
  rig = new HttpRig({ http: { policies: [policy], hstsMaxAgeS: 60 } });
  backend = new ScriptedBackend();
  rig.balancer.add("backend", await backend.listen());
});
afterAll(async () => {
  await rig.close();
  await backend.close();
});

const name = fc.stringMatching(/^x-[a-z\d_]{1,12}(-[a-z]{1,5})?$/);
const value = fc.stringMatching(/^([!-~\u0080-\u00ff]([ -~\u0080-\u00ff]{0,30}[!-~\u0080-\u00ff])?)?$/);
const field = fc.tuple(name, value);
const fields = fc.array(field, { maxLength: 6 });
const special = fc.constantFrom<[string, string]>(
  ["te", "trailers"],
  ["cookie", "a=1"],
  ["cookie", "b=2; c=3"],
  ["x-forwarded-for", "192.0.2.1"],
  ["forwarded", "for=192.0.2.1"],
  ["x-ssl-client-verify", "SUCCESS"],
  ["x_forwarded_for", "192.0.2.2"],
  ["proxy-authorization", "secret"],
  ["user-agent", "test/1"],
  ["content-type", "text/plain"],
);
const bytes = fc.tuple(fc.oneof(fc.nat(20), fc.nat(9000)), fc.nat()).map(([size, seed]) => pattern(size + 1, seed));

const asked: fc.Arbitrary<Asked> = fc
  .record({
    method: fc.constantFrom("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"),
    host: fc.constantFrom("app.example", "App.Example:8080", "127.0.0.1", "[::1]:443"),
    path: fc.oneof(
      fc.constantFrom("/", "/tea", "/a/b?c=/../d", "//x", "/%2e/"),
      fc.stringMatching(/^\/[!"$-.0-~]{0,20}$/),
    ),
    fields: fc
      .tuple(fields, fc.uniqueArray(special, { maxLength: 4, selector: ([each]) => each }))
      .chain(([plain, more]) => fc.shuffledSubarray([...plain, ...more], { minLength: plain.length + more.length })),
    body: fc.option(fc.array(bytes, { maxLength: 3 })),
    hasLength: fc.boolean(),
    trailers: fc.array(field, { maxLength: 2 }),
  })
  .map(({ body, ...rest }) => ({ ...rest, body: body ?? undefined }));

interface Told {
  readonly framing: "length" | "chunked" | "close";
  readonly status: number;
  readonly interim: boolean;
  readonly fields: readonly (readonly [string, string])[];
  readonly body: readonly Buffer[];
  readonly trailers: readonly (readonly [string, string])[];
  /** Where the response is cut into pieces, in per mille. */
  readonly cuts: readonly number[];
}

const large = fc.tuple(fc.integer({ min: 1, max: 200_000 }), fc.nat()).map(([size, seed]) => pattern(size, seed));
const told: fc.Arbitrary<Told> = fc.record({
  framing: fc.constantFrom("length", "chunked", "close"),
  status: fc.constantFrom(200, 200, 201, 204, 304, 404, 503, 299),
  interim: fc.boolean(),
  fields: fc
    .tuple(
      fields,
      fc.subarray<[string, string]>([
        ["set-cookie", "a=1"],
        ["server", "x"],
        ["keep-alive", "timeout=1"],
      ]),
    )
    .map(([plain, more]) => [...plain, ...more]),
  body: fc.array(fc.oneof(bytes, bytes, large), { maxLength: 4 }),
  trailers: fc.array(field, { maxLength: 2 }),
  cuts: fc.array(fc.nat(1000), { maxLength: 6 }),
});

/** A response as the backend sends it. */
function responseTo(
  { method }: Asked,
  { framing, status, interim, fields: all, body, trailers, cuts }: Told,
): ScriptedResponse {
  const hasBody = method !== "HEAD" && status !== 204 && status !== 304;
  const length = body.reduce((sum, { length: each }) => sum + each, 0);
  const head = [
    interim ? "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" : "",
    `HTTP/1.1 ${status} Said\r\n`,
    ...all.map(([each, said]) => `${each}: ${said}\r\n`),
    framing === "length" && status !== 204 ? `Content-Length: ${length}\r\n` : "",
    framing === "chunked" && hasBody ? "Transfer-Encoding: chunked\r\n" : "",
    framing === "close" ? "Connection: close\r\n" : "",
    "\r\n",
  ].join("");
  const content = framing === "chunked" ? [chunked(body, trailers)] : body;
  const bytesOf = Buffer.concat([Buffer.from(head, "latin1"), ...(hasBody ? content : [])]);
  const at = [0, ...cuts.map((cut) => Math.floor((cut * bytesOf.length) / 1000)), bytesOf.length].toSorted(
    (a, b) => a - b,
  );
  const pieces = at.slice(1).map((end, i) => bytesOf.subarray(at[i], end));
  return { pieces, ends: framing === "close" };
}

const readable = ({ body, ...rest }: Seen) => ({ ...rest, bytes: body.length, body: body.toString("base64") });

test("HTTP/2 and HTTP/1.1 are the same to backends and to clients", async () => {
  const exchanges = fc
    .array(fc.tuple(asked, told), { minLength: 1, maxLength: 4 })
    .map((all) =>
      all.map(([each, said], i) => [{ ...each, fields: [...each.fields, ["x-nr", String(i)]] }, said] as [Asked, Told]),
    );
  const count = { asked: 0, served: 0 };
  await fc.assert(
    fc.asyncProperty(exchanges, fc.constantFrom(1000, 65_535, 1 << 20), async (all, window) => {
      const requests = all.map(([request]) => request);
      const responses = all.map((each) => responseTo(...each));
      backend.respond = (request) => responses[numberOf(request)] as ScriptedResponse;
      const target = await rig.listen();
      const http1 = await askHttp1(target, requests);
      const seenOfHttp1 = backend.requests.splice(0);
      const http2 = await askHttp2(target, requests, { window });
      const seenOfHttp2 = backend.requests.splice(0);
      expect(http2.map(readable)).toEqual(http1.map(readable));
      expect(seenOfHttp2.map(readable)).toEqual(seenOfHttp1.map(readable));
      count.asked += requests.length;
      count.served += seenOfHttp1.length;
    }),
    { numRuns: RUNS },
  );
  // Else it would test our own answers only.
  expect(count.served).toBeGreaterThan(count.asked / 2);
});

const numberOf = ({ fields: all }: Seen): number => Number(all.find((line) => line.startsWith("x-nr: "))?.slice(6));
