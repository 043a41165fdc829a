import { type JsonValue, toJson } from "@bufbuild/protobuf";
import { stringify } from "yaml";

import { usageError } from "../exit.ts";
import type { Answer } from "../rpc.ts";

/** Values of `--output`. */
export const outputFormats = ["table", "json", "yaml"] as const;
export type OutputFormat = (typeof outputFormats)[number];

/** @throws CliExit with code 2 for anything else */
export function parseOutputFormat(text: string): OutputFormat {
  const found = outputFormats.find((format) => format === text);
  if (found !== undefined) return found;
  throw usageError(`--output must be one of ${outputFormats.join(", ")}, not ${JSON.stringify(text)}`);
}

/** The RPC's answer in protobuf JSON, fields that are zero, false or empty included. */
export const answerJson = ({ schema, message }: Answer): JsonValue =>
  toJson(schema, message, { alwaysEmitImplicit: true });

/** An answer as JSON or YAML text. */
export function formatAnswer(answer: Answer, format: "json" | "yaml"): string {
  const json = answerJson(answer);
  return format === "json" ? `${JSON.stringify(json, undefined, 2)}\n` : toYaml(json);
}

/** YAML text, long lines unbroken. */
export const toYaml = (value: unknown): string => stringify(value, { lineWidth: 0 });
