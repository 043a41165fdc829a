// Whoever operates the cluster, on the admin machine: sends requests with a client certificate. argv: the files of the
// authority, the certificate and the key.
import { readFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { text } from "node:stream/consumers";

const [ca = "", cert = "", key = ""] = process.argv.slice(2).map((file) => readFileSync(file, "utf8"));
const agent = new Agent({ ca, cert, key, keepAlive: true });
/** A node that does not answer for so long is away. */
const TIMEOUT_MS = 10_000;

/** What the operator is told to send. */
export interface Errand {
  readonly id: number;
  readonly url: string;
  /** JSON to post; absent: GET. */
  readonly json?: string;
}

/** What came of it. */
export type ErrandResult = { readonly id: number } & (
  | { readonly status: number; readonly text: string; readonly atMs: number }
  | { readonly error: string }
);

function run({ url, json }: Errand): Promise<{ status: number; text: string; atMs: number }> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json" };
    const options = { method: json === undefined ? "GET" : "POST", headers, timeout: TIMEOUT_MS };
    const sent = url.startsWith("https:") ? httpsRequest(url, { ...options, agent }) : httpRequest(url, options);
    sent.once("response", (response) => {
      const status = response.statusCode ?? 0;
      text(response).then((body) => resolve({ status, text: body, atMs: Date.now() }), reject);
    });
    sent.once("timeout", () => sent.destroy(new Error(`no answer from ${url} within ${TIMEOUT_MS / 1000} s`)));
    sent.once("error", reject);
    sent.end(json);
  });
}

process.on("message", (errand: Errand) => {
  run(errand).then(
    (result) => process.send!({ id: errand.id, ...result } satisfies ErrandResult),
    (error: unknown) => process.send!({ id: errand.id, error: (error as Error).message } satisfies ErrandResult),
  );
});
process.on("disconnect", () => process.exit(0));
process.send?.("listening");
