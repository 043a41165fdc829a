import type { Command } from "commander";
import type { CliIo } from "../io.ts";
export function addExport(_p: Command, _io: CliIo): void {}
