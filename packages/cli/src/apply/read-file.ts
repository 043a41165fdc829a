import { createHash } from "node:crypto";
import { dirname, resolve } from "node:path";

import { parseDocument } from "yaml";

import { refusal } from "../exit.ts";
import type { CliIo } from "../io.ts";

/** A file that was read and parsed. */
export interface InputFile {
  /** For messages: the path, or `standard input`. */
  readonly name: string;
  readonly value: unknown;
  /** Reads a file that this one names, relative to it. */
  readonly readRelated: (path: string) => Promise<string>;
}

/** Reads YAML or JSON; `-` is standard input, whose related files are relative to the working directory. */
export async function readInput(io: CliIo, path: string): Promise<InputFile> {
  const name = path === "-" ? "standard input" : path;
  const content = path === "-" ? await io.readStdin() : await readText(io, path);
  const folder = path === "-" ? "." : dirname(path);
  return { name, value: parseText(name, content), readRelated: (related) => readText(io, resolve(folder, related)) };
}

/** A file's text, as it is. @throws CliExit that names the file and says why it cannot be read */
export async function readText(io: CliIo, path: string): Promise<string> {
  try {
    return await io.readFile(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "there is no such file" : code === "EISDIR" ? "it is a folder" : message;
    throw refusal(`cannot read ${path}: ${why}`);
  }
}

/** JSON is YAML; duplicate keys and several documents are refused, because one of them would silently not count. */
function parseText(name: string, content: string): unknown {
  const document = parseDocument(content, { prettyErrors: true, uniqueKeys: true });
  const [error] = document.errors;
  if (error === undefined) return document.toJS({ maxAliasCount: 1000 });
  const line = error.linePos?.[0];
  const where = line === undefined ? name : `${name}:${line.line}:${line.col}`;
  throw refusal(`${where}: ${error.message.split("\n")[0]?.replace(/ at line \d+, column \d+:?$/, "")}`);
}

/** SHA-256 of every certificate in a PEM text, in order, in lower-case hexadecimal; the first is the leaf's. */
export function fingerprints(pem: string): readonly string[] {
  const blocks = pem.matchAll(/-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/g);
  return Array.from(blocks, ([, base64 = ""]) =>
    createHash("sha256").update(Buffer.from(base64, "base64")).digest("hex"),
  );
}
