import { type CommandOptions, run } from "./command.ts";
import { fail, type Outcome, pass } from "./outcome.ts";

/** A program whose exit code is the verdict, and which is silent unless it failed. */
export async function check(
  name: string,
  [command, ...args]: readonly [string, ...string[]],
  options: CommandOptions = {},
): Promise<Outcome> {
  const { code, output } = await run(command, args, options);
  if (code === 0) return pass();
  if (options.live !== true) process.stdout.write(output);
  return fail(name, `${[command, ...args].join(" ")} (exit code ${code})\n${output}`);
}

/** Type-checks the whole repository; with `under`, only errors of files below that path count. */
export async function types(under?: string): Promise<Outcome> {
  const { code, output } = await run("tsc", ["-p", ".", "--pretty", "false"]);
  if (code === 0) return pass();
  const errors = output.split("\n").filter((line) => under === undefined || line.startsWith(under));
  const crashed = !/^\S+\(\d+,\d+\): error/m.test(output);
  if (errors.length === 0 && !crashed) return pass();
  const message = crashed ? output : errors.join("\n");
  console.log(message);
  return fail("types", `tsc -p .\n${message}`);
}
