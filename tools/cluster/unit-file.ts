/** What a unit file says that the lab heeds; the rest of systemd it does without. */
export interface Unit {
  /** Commands in order; the last one is the daemon. */
  readonly commands: readonly string[];
  /** Files with `NAME=value` lines; one that begins with `-` may be absent. */
  readonly environmentFiles: readonly string[];
  /** `NAME=value` each. */
  readonly environment: readonly string[];
  /** Folders below /run and /var/lib that are made before the start. */
  readonly folders: readonly string[];
  /** Where the commands run. */
  readonly workingDirectory: string;
}

/** Reads a unit file. @throws Error when it starts nothing */
export function parseUnit(text: string): Unit {
  const settings = text
    .replaceAll(/\\\n\s*/g, "")
    .split("\n")
    .flatMap((line) => {
      const match = /^(\w+)\s*=\s*(.*)$/.exec(line.trim());
      return match === null ? [] : [{ key: match[1]!, value: match[2]! }];
    });
  const all = (key: string): readonly string[] => settings.filter((one) => one.key === key).map(({ value }) => value);
  const commands = [...all("ExecStartPre"), ...all("ExecStart")];
  if (all("ExecStart").length !== 1) throw new Error("A unit needs one ExecStart=");
  return {
    commands,
    environmentFiles: all("EnvironmentFile"),
    environment: all("Environment"),
    workingDirectory: all("WorkingDirectory").at(-1) ?? "/",
    folders: [
      ...all("RuntimeDirectory").map((name) => `/run/${name}`),
      ...all("StateDirectory").map((name) => `/var/lib/${name}`),
    ],
  };
}

/** The unit as a shell script whose last act is to become the daemon. */
export function scriptOf({ commands, environmentFiles, environment, folders, workingDirectory }: Unit): string {
  const optional = (file: string): string =>
    file.startsWith("-") ? `[ ! -e ${file.slice(1)} ] || . ${file.slice(1)}` : `. ${file}`;
  const before = commands
    .slice(0, -1)
    .map((command) => (command.startsWith("-") ? `${command.slice(1)} || true` : command));
  return [
    "set -a",
    ...environment,
    ...environmentFiles.map(optional),
    "set +a",
    ...folders.map((folder) => `mkdir -p ${folder}`),
    `cd ${workingDirectory}`,
    ...before,
    `exec ${commands.at(-1)}`,
  ].join("\n");
}
