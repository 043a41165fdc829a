import { runFiberlb } from "./program.ts";

process.exitCode = await runFiberlb(process.argv.slice(2));
