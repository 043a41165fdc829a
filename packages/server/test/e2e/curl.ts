import { spawn, spawnSync } from "node:child_process";
import { buffer, text } from "node:stream/consumers";

/** Why curl can't be used here; empty when it can. */
export const whyNoCurl = spawnSync("curl", ["--version"]).error === undefined ? "" : "curl is not installed";

/** What curl did. */
export interface Curled {
  /** 0 when curl was content. */
  readonly exitCode: number;
  /** What curl complained about. */
  readonly complaint: string;
  /** 0 without a response. */
  readonly status: number;
  /** All heads in their order, interim ones and those of redirects that were followed too. */
  readonly heads: readonly string[];
  /** Of the last head, names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** curl's own account; see `%{json}` in its manual. */
  readonly account: Readonly<Record<string, string | number>>;
}

/** Runs curl; `input` is what it reads from its standard input. */
export async function curl(args: readonly string[], input: Iterable<Uint8Array> = []): Promise<Curled> {
  const program = spawn("curl", ["-sS", "-i", "--max-time", "50", "-w", "%{stderr}\n%{json}", ...args]);
  // It may leave before it has read everything.
  program.stdin.on("error", () => undefined);
  void feed(program.stdin, input);
  const exited = new Promise<number>((resolve) => void program.on("close", (code) => resolve(code ?? -1)));
  const [output, errors, exitCode] = await Promise.all([buffer(program.stdout), text(program.stderr), exited]);
  const lastLine = errors.trimEnd().lastIndexOf("\n");
  const { heads, body } = parse(output);
  const account = JSON.parse(errors.slice(lastLine + 1)) as Curled["account"];
  const status = Number(account["http_code"]);
  return {
    exitCode,
    complaint: errors.slice(0, lastLine).trim(),
    status,
    heads,
    headers: headersOf(heads.at(-1) ?? ""),
    body,
    account,
  };
}

async function feed(stdin: NodeJS.WritableStream, input: Iterable<Uint8Array>): Promise<void> {
  for (const chunk of input) {
    await new Promise<void>((resolve) => void stdin.write(chunk, () => resolve()));
  }
  stdin.end();
}

/** Heads stand one behind the other as long as they are interim ones. */
function parse(output: Buffer): { readonly heads: readonly string[]; readonly body: string } {
  const heads: string[] = [];
  let rest = output;
  do {
    const end = rest.indexOf("\r\n\r\n");
    if (end < 0) break;
    heads.push(rest.subarray(0, end).toString("latin1"));
    rest = rest.subarray(end + 4);
  } while (/^HTTP\/[\d.]+ 1\d\d/.test(heads.at(-1)!));
  return { heads, body: rest.toString() };
}

function headersOf(head: string): Readonly<Record<string, string>> {
  const lines = head.split("\r\n").slice(1);
  return Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
}
