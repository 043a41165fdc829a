export { createProgram, runFiberlb } from "./program.ts";
